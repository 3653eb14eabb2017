// Bits, tests for zero, one-hot digits: the only users of `<--` besides the fractions of the identities,
// which stand written out where they are added (a sum as the input of a template would cost a
// constraint). Each hint is pinned in the line after it. A fraction n / d is pinned by
// fraction * d === n, which leaves it free where d = 0: both must be fixed before the challenge in d.
pragma circom 2.2.0;

// in = sum of N bits; fails unless 0 <= in < 2^N. N stays below 254, so the decomposition is unique.
template Bits(N) {
    signal input in;
    signal output out[N];
    assert(N < 254);
    var sum = 0;
    for (var i = 0; i < N; i++) {
        out[i] <-- (in >> i) & 1;
        out[i] * (out[i] - 1) === 0;
        sum += out[i] * (1 << i);
    }
    sum === in;
}

// 0 <= in + OFFSET < 2^N, and the bits of in + OFFSET.
template OffsetBits(N, OFFSET) {
    signal input in;
    signal output out[N];
    assert(N < 254);
    var sum = 0;
    for (var i = 0; i < N; i++) {
        out[i] <-- ((in + OFFSET) >> i) & 1;
        out[i] * (out[i] - 1) === 0;
        sum += out[i] * (1 << i);
    }
    sum === in + OFFSET;
}

template AssertInRange(N) {
    signal input in;
    component bits = Bits(N);
    bits.in <== in;
}

template AssertBoolean() {
    signal input in;
    in * (in - 1) === 0;
}

// out = 1 if in = 0, else 0.
template EqualsZero() {
    signal input in;
    signal output out;
    signal inverse <-- in != 0 ? 1 / in : 0;
    out <== 1 - in * inverse;
    in * out === 0;
}

// Fails if in = 0.
template AssertNonZero() {
    signal input in;
    signal inverse <-- in != 0 ? 1 / in : 0;
    in * inverse === 1;
}

// Fails if in = 0 while enabled; enabled is boolean.
template AssertNonZeroIf() {
    signal input enabled;
    signal input in;
    signal inverse <-- in != 0 ? enabled / in : 0;
    in * inverse === enabled;
}

// Eight indicators of a three-bit digit, given its bits. All products: sums would cost a linear
// constraint each.
template OneHot8() {
    signal input bit[3];
    signal output out[8];
    signal both <== bit[0] * bit[1];
    var low[4] = [1 - bit[0] - bit[1] + both, bit[0] - both, bit[1] - both, both];
    for (var i = 0; i < 4; i++) {
        out[i] <== low[i] * (1 - bit[2]);
        out[i + 4] <== low[i] * bit[2];
    }
}

// Packs booleans 250 to a word, lowest first; callers prove that they are booleans.
template PackBits(N) {
    signal input in[N];
    signal output out[(N + 249) \ 250];
    for (var w = 0; w < (N + 249) \ 250; w++) {
        var sum = 0;
        for (var i = 250 * w; i < N && i < 250 * w + 250; i++) {
            sum += in[i] * (1 << (i - 250 * w));
        }
        out[w] <== sum;
    }
}
