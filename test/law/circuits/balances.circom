// Balances alone, for the vectors.
pragma circom 2.2.0;

include "../../../circuits/account.circom";

component main = Balances();
