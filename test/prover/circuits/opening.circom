// A commitment to two words: small enough for a whole ceremony within a test.
pragma circom 2.2.0;

include "../../../circuits/lib/poseidon.circom";

template Opening() {
    signal input words[2];
    signal output commitment;
    component hash = Hash(7, 2);
    hash.in <== words;
    commitment <== hash.out;
}

component main = Opening();
