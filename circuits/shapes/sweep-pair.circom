// The sweep of sixteen accounts: for tests of the parts.
pragma circom 2.2.0;

include "../sweep.circom";

component main {public [C, x, y]} = Sweep(1, 2, 4, 2);
