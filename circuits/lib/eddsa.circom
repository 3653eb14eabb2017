// EdDSA-Poseidon on BabyJubJub, equal to circomlib's verifier, on our Poseidon.
pragma circom 2.2.0;

include "../../node_modules/circomlib/circuits/aliascheck.circom";
include "../../node_modules/circomlib/circuits/babyjub.circom";
include "../../node_modules/circomlib/circuits/escalarmulany.circom";
include "bits.circom";
include "poseidon.circom";

// The 254 bits of a field element, the alias in + p excluded.
template StrictBits() {
    signal input in;
    signal output out[254];
    signal bit[254];
    var sum = 0;
    for (var i = 0; i < 254; i++) {
        bit[i] <-- (in >> i) & 1;
        bit[i] * (bit[i] - 1) === 0;
        sum += bit[i] * (1 << i);
    }
    sum === in;
    component alias = AliasCheck();
    alias.in <== bit;
    out <== bit;
}

// 8 * in, for a point on the curve.
template TimesEight() {
    signal input x;
    signal input y;
    signal output xOut;
    signal output yOut;
    component twice = BabyDbl();
    component fourTimes = BabyDbl();
    component eightTimes = BabyDbl();
    twice.x <== x;
    twice.y <== y;
    fourTimes.x <== twice.xout;
    fourTimes.y <== twice.yout;
    eightTimes.x <== fourTimes.xout;
    eightTimes.y <== fourTimes.yout;
    xOut <== eightTimes.xout;
    yOut <== eightTimes.yout;
}

// Twisted Edwards addition on constants, at compile time.
function addPoints(p, q) {
    var sum[2];
    var product = 168696 * p[0] * p[1] * q[0] * q[1];
    sum[0] = (p[0] * q[1] + p[1] * q[0]) / (1 + product);
    sum[1] = (p[1] * q[1] - 168700 * p[0] * q[0]) / (1 - product);
    return sum;
}

// scalar * Base8, three bits a step: the eight multiples are constants, so a step is a choice (3
// constraints) and a complete addition (6). Incomplete formulas would save 200 constraints and need
// an argument that no prover can steer two summands onto one point.
template BaseTimes(N) {
    signal input bit[N];
    signal output out[2];
    var windows = (N + 2) \ 3;
    signal both[windows];
    signal xHigh[windows];
    signal yHigh[windows];
    signal beta[windows];
    signal gamma[windows];
    signal delta[windows];
    signal tau[windows];
    signal x[windows + 1];
    signal y[windows + 1];
    x[0] <== 0;
    y[0] <== 1;

    var unit[2] = [
        5299619240641551281634865583518297030282874472190772894086521144482721001553,
        16950150798460657717958625567821834550301663161624707787222815936182638968203
    ];
    for (var w = 0; w < windows; w++) {
        var multiple[8][2];
        multiple[0] = [0, 1];
        for (var k = 1; k < 8; k++) {
            multiple[k] = addPoints(multiple[k - 1], unit);
        }
        unit = addPoints(multiple[7], unit);
        var b0 = bit[3 * w];
        var b1 = 3 * w + 1 < N ? bit[3 * w + 1] : 0;
        var b2 = 3 * w + 2 < N ? bit[3 * w + 2] : 0;
        both[w] <== b0 * b1;
        var low[2];
        var high[2];
        for (var c = 0; c < 2; c++) {
            low[c] = multiple[0][c] + (multiple[1][c] - multiple[0][c]) * b0
                + (multiple[2][c] - multiple[0][c]) * b1
                + (multiple[3][c] - multiple[2][c] - multiple[1][c] + multiple[0][c]) * both[w];
            high[c] = multiple[4][c] + (multiple[5][c] - multiple[4][c]) * b0
                + (multiple[6][c] - multiple[4][c]) * b1
                + (multiple[7][c] - multiple[6][c] - multiple[5][c] + multiple[4][c]) * both[w];
        }
        xHigh[w] <== b2 * (high[0] - low[0]);
        yHigh[w] <== b2 * (high[1] - low[1]);
        // (x, y) + (u, v), written out here because u and v are sums.
        var u = low[0] + xHigh[w];
        var v = low[1] + yHigh[w];
        beta[w] <== x[w] * v;
        gamma[w] <== y[w] * u;
        delta[w] <== (y[w] - 168700 * x[w]) * (u + v);
        tau[w] <== beta[w] * gamma[w];
        x[w + 1] <-- (beta[w] + gamma[w]) / (1 + 168696 * tau[w]);
        (1 + 168696 * tau[w]) * x[w + 1] === beta[w] + gamma[w];
        y[w + 1] <-- (delta[w] + 168700 * beta[w] - gamma[w]) / (1 - 168696 * tau[w]);
        (1 - 168696 * tau[w]) * y[w + 1] === delta[w] + 168700 * beta[w] - gamma[w];
    }
    out <== [x[windows], y[windows]];
}

// If enabled: S * Base8 = R + H(R, A, message) * 8A, A not of small order. S < l is not asked: S and
// S + l are the same point, and nothing is keyed on the bytes of a signature (the head is the nonce);
// admission asks for S < l all the same.
// A disabled instance still needs points on which the formulas are defined; the prover sends the base.
template AssertSignature() {
    signal input enabled;
    signal input ax;
    signal input ay;
    signal input rx;
    signal input ry;
    signal input s;
    signal input message;

    component sBits = Bits(253);
    sBits.in <== s;

    component hash = Hash(0, 5);
    hash.in <== [rx, ry, ax, ay, message];
    component hashBits = StrictBits();
    hashBits.in <== hash.out;

    component a8 = TimesEight();
    a8.x <== ax;
    a8.y <== ay;
    component notSmall = AssertNonZero();
    notSmall.in <== a8.xOut;

    component ha = EscalarMulAny(254);
    ha.e <== hashBits.out;
    ha.p <== [a8.xOut, a8.yOut];
    component right = BabyAdd();
    right.x1 <== rx;
    right.y1 <== ry;
    right.x2 <== ha.out[0];
    right.y2 <== ha.out[1];

    component left = BaseTimes(253);
    left.bit <== sBits.out;

    enabled * (left.out[0] - right.xout) === 0;
    enabled * (left.out[1] - right.yout) === 0;
}
