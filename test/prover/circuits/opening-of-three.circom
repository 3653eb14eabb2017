// A commitment to three words: a circuit that a key of opening.circom is not for.
pragma circom 2.2.0;

include "../../../circuits/lib/poseidon.circom";

template OpeningOfThree() {
    signal input words[3];
    signal output commitment;
    component hash = Hash(7, 3);
    hash.in <== words;
    commitment <== hash.out;
}

component main = OpeningOfThree();
