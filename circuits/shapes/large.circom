// Shape large. Generated from circuits/params.ts and circuits/encodings.ts by `npm run generate`.
pragma circom 2.2.0;

include "../batch.circom";

component main {public [C, x, y]} = Batch(256, 16, 64, 2, 4, 4, 2, 1, 8, 1, 8, 4);
