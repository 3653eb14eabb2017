// Reduction alone, for its cost.
pragma circom 2.2.0;

include "../../../circuits/reduction.circom";

component main = Reduction(1);
