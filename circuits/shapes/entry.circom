// Shape entry. Generated from circuits/params.ts and circuits/encodings.ts by `npm run generate`.
pragma circom 2.2.0;

include "../batch.circom";

component main {public [C, x, y]} = Batch(2, 8, 2, 1, 8, 1, 8, 1, 1, 1, 2, 1);
