// Permute alone, for the vectors.
pragma circom 2.2.0;

include "../../../circuits/lib/poseidon.circom";

component main = Permute(16, 17);
