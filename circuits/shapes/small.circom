// Shape small. Generated from circuits/params.ts and circuits/encodings.ts by `npm run generate`.
pragma circom 2.2.0;

include "../batch.circom";

component main {public [C, x, y]} = Batch(64, 8, 16, 1, 8, 2, 8, 1, 2, 1, 4, 2);
