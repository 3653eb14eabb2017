// Solvency alone, for its cost.
pragma circom 2.2.0;

include "../../../circuits/account.circom";

component main = Solvency();
