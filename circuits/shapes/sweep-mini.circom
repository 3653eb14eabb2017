// The sweep of eight accounts: for tests.
pragma circom 2.2.0;

include "../sweep.circom";

component main {public [C, x, y]} = Sweep(1, 1, 4, 2);
