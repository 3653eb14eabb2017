// The sweep of eight accounts that may hold whatever a leaf holds: see sweep-shapes.ts.
pragma circom 2.2.0;

include "../../circuits/sweep.circom";

component main {public [C, x, y]} = Sweep(1, 1, 8 * (SLOT_COUNT() - 1), 8);
