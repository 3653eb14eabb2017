// Poseidon as in circomlib, with its linear layers kept in variables so that only S-boxes cost constraints.
pragma circom 2.2.0;

include "../../node_modules/circomlib/circuits/poseidon_constants.circom";

// One permutation of N + 1 words: capacity first, OUTS outputs from the front of the state.
// The optimised form of the Poseidon paper's appendix B; equal to circomlib's, which the tests show.
template Permute(N, OUTS) {
    signal input capacity;
    signal input in[N];
    signal output out[OUTS];

    var N_ROUNDS_P[16] = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];
    var t = N + 1;
    var full = 8;
    var partial = N_ROUNDS_P[t - 2];
    var C[t * full + partial] = POSEIDON_C(t);
    var S[partial * (t * 2 - 1)] = POSEIDON_S(t);
    var M[t][t] = POSEIDON_M(t);
    var P[t][t] = POSEIDON_P(t);

    // An S-box takes a sum as it is: x^2, x^4, x^5 are its three constraints.
    signal x2[full * t + partial];
    signal x4[full * t + partial];
    signal x5[full * t + partial];
    var used = 0;
    var state[t];
    var mixed[t];
    state[0] = capacity + C[0];
    for (var i = 0; i < N; i++) {
        state[i + 1] = in[i] + C[i + 1];
    }
    for (var r = 0; r < full / 2; r++) {
        for (var i = 0; i < t; i++) {
            x2[used] <== state[i] * state[i];
            x4[used] <== x2[used] * x2[used];
            x5[used] <== x4[used] * state[i];
            state[i] = x5[used] + C[(r + 1) * t + i];
            used++;
        }
        for (var i = 0; i < t; i++) {
            mixed[i] = 0;
            for (var j = 0; j < t; j++) {
                mixed[i] += (r < full / 2 - 1 ? M[j][i] : P[j][i]) * state[j];
            }
        }
        for (var i = 0; i < t; i++) {
            state[i] = mixed[i];
        }
    }
    for (var r = 0; r < partial; r++) {
        x2[used] <== state[0] * state[0];
        x4[used] <== x2[used] * x2[used];
        x5[used] <== x4[used] * state[0];
        state[0] = x5[used] + C[(full / 2 + 1) * t + r];
        used++;
        var first = 0;
        for (var j = 0; j < t; j++) {
            first += S[(t * 2 - 1) * r + j] * state[j];
        }
        for (var k = 1; k < t; k++) {
            state[k] = state[k] + state[0] * S[(t * 2 - 1) * r + t + k - 1];
        }
        state[0] = first;
    }
    for (var r = 0; r < full / 2; r++) {
        for (var i = 0; i < t; i++) {
            x2[used] <== state[i] * state[i];
            x4[used] <== x2[used] * x2[used];
            x5[used] <== x4[used] * state[i];
            state[i] = x5[used];
            if (r < full / 2 - 1) {
                state[i] += C[(full / 2 + 1) * t + partial + r * t + i];
            }
            used++;
        }
        for (var i = 0; i < t; i++) {
            mixed[i] = 0;
            for (var j = 0; j < t; j++) {
                mixed[i] += M[j][i] * state[j];
            }
        }
        for (var i = 0; i < t; i++) {
            state[i] = mixed[i];
        }
    }
    for (var i = 0; i < OUTS; i++) {
        out[i] <== state[i];
    }
}

// hash(tag, words) of encodings.ts for any number of words, the tag being a signal.
template HashTagged(N) {
    signal input tag;
    signal input in[N];
    signal output out;
    var blocks = (N + 15) \ 16;
    component block[blocks];
    for (var b = 0; b < blocks; b++) {
        var size = N - 16 * b < 16 ? N - 16 * b : 16;
        block[b] = Permute(size, 1);
        if (b == 0) {
            block[b].capacity <== tag;
        } else {
            block[b].capacity <== block[b - 1].out[0];
        }
        for (var i = 0; i < size; i++) {
            block[b].in[i] <== in[16 * b + i];
        }
    }
    out <== block[blocks - 1].out[0];
}

template Hash(TAG, N) {
    signal input in[N];
    signal output out;
    component hash = HashTagged(N);
    hash.tag <== TAG;
    hash.in <== in;
    out <== hash.out;
}
