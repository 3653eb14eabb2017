// Release alone, for its cost.
pragma circom 2.2.0;

include "../../../circuits/flag.circom";

component main = Release(1);
