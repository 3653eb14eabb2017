// FeeAccount alone, for its cost.
pragma circom 2.2.0;

include "../../../circuits/member.circom";

component main = FeeAccount();
