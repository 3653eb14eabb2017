// The statement that a proof is about: C fixes every value, y evaluates the public words at x.
//
//  1. CommitmentMustMatch
//  2. WordsMustMatchChallenge
pragma circom 2.2.0;

include "lib/poseidon.circom";
include "generated/params.circom";

// word: what L1 sees. bound: private values that a challenge ranges over.
template Statement(WORDS, BOUND) {
    signal input C;
    signal input x;
    signal input y;
    signal input salt;
    signal input word[WORDS];
    signal input bound[BOUND];

    // 1. CommitmentMustMatch: all that a challenge ranges over is fixed by C
    component commitment = Hash(TAG_COMMITMENT(), 1 + WORDS + BOUND);
    commitment.in[0] <== salt;
    for (var i = 0; i < WORDS; i++) {
        commitment.in[1 + i] <== word[i];
    }
    for (var i = 0; i < BOUND; i++) {
        commitment.in[1 + WORDS + i] <== bound[i];
    }
    commitment.out === C;

    // 2. WordsMustMatchChallenge: y is the polynomial of the words at x
    signal partial[WORDS];
    partial[WORDS - 1] <== word[WORDS - 1];
    for (var i = WORDS - 2; i >= 0; i--) {
        partial[i] <== partial[i + 1] * x + word[i];
    }
    partial[0] === y;
}
