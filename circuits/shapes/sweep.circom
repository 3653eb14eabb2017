// The sweep of 128 accounts.
pragma circom 2.2.0;

include "../sweep.circom";

component main {public [C, x, y]} = Sweep(2, 2, 16, 8);
