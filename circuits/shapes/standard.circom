// Shape standard. Generated from circuits/params.ts and circuits/encodings.ts by `npm run generate`.
pragma circom 2.2.0;

include "../batch.circom";

component main {public [C, x, y]} = Batch(64, 8, 32, 2, 4, 4, 2, 1, 4, 1, 6, 2);
