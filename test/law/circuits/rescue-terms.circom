// RescueTerms alone, for its cost.
pragma circom 2.2.0;

include "../../../circuits/member-terms.circom";

component main = RescueTerms(1);
