// AssertSignature alone, for the vectors.
pragma circom 2.2.0;

include "../../../circuits/lib/eddsa.circom";

component main = AssertSignature();
