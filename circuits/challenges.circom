// What is drawn for the identities: from x, and from x with the sums per row fixed.
pragma circom 2.2.0;

include "lib/poseidon.circom";
include "records.circom";
include "generated/params.circom";

template Draw(MEMBERS, ROWS) {
    signal input x;
    signal input rowQuantity[ROWS];
    signal input rowSize[ROWS];
    output Challenges() challenge;
    signal output accountWeight[MEMBERS];

    component draw = Permute(16, 17);
    draw.capacity <== TAG_CHALLENGE();
    draw.in[0] <== x;
    for (var i = 1; i < 16; i++) {
        draw.in[i] <== 0;
    }
    challenge.first <== draw.out;

    component fixRows = Hash(TAG_SECOND_CHALLENGE(), 1 + 2 * ROWS);
    fixRows.in[0] <== x;
    for (var r = 0; r < ROWS; r++) {
        fixRows.in[1 + r] <== rowQuantity[r];
        fixRows.in[1 + ROWS + r] <== rowSize[r];
    }
    component drawSecond = Permute(2, 3);
    drawSecond.capacity <== TAG_CHALLENGE();
    drawSecond.in <== [fixRows.out, 1];
    challenge.second <== drawSecond.out;

    challenge.worldWeight[0] <== draw.out[CH_WORLD_WEIGHT()];
    for (var s = 1; s < WORLD_COUNT(); s++) {
        challenge.worldWeight[s] <== challenge.worldWeight[s - 1] * draw.out[CH_WORLD_WEIGHT()];
    }
    var stress = 0;
    for (var s = 1; s < WORLD_COUNT() - 1; s++) {
        stress += challenge.worldWeight[s];
    }
    challenge.stressWeight <== stress;
    accountWeight[0] <== draw.out[CH_ACCOUNT_WEIGHT()];
    for (var a = 1; a < MEMBERS; a++) {
        accountWeight[a] <== accountWeight[a - 1] * draw.out[CH_ACCOUNT_WEIGHT()];
    }
    signal inverseMu <-- 1 / draw.out[CH_MU()];
    inverseMu * draw.out[CH_MU()] === 1;
    challenge.inverseMu <== inverseMu;
}
