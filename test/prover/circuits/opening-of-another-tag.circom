// A commitment to two words under another tag: every size as in opening.circom, another circuit.
pragma circom 2.2.0;

include "../../../circuits/lib/poseidon.circom";

template Opening() {
    signal input words[2];
    signal output commitment;
    component hash = Hash(8, 2);
    hash.in <== words;
    commitment <== hash.out;
}

component main = Opening();
