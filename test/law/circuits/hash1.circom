// HashTagged alone, for the vectors.
pragma circom 2.2.0;

include "../../../circuits/lib/poseidon.circom";

component main = HashTagged(1);
