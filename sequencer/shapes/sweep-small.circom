// The sweep of eight accounts, for a house of few members: see sweep-shapes.ts.
pragma circom 2.2.0;

include "../../circuits/sweep.circom";

component main {public [C, x, y]} = Sweep(1, 1, 16, 8);
