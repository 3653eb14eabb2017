// Withdrawal alone, for its cost.
pragma circom 2.2.0;

include "../../../circuits/edges.circom";

component main = Withdrawal(1);
