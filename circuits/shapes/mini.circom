// Shape mini. Generated from circuits/params.ts and circuits/encodings.ts by `npm run generate`.
pragma circom 2.2.0;

include "../batch.circom";

component main {public [C, x, y]} = Batch(4, 3, 6, 2, 2, 1, 2, 1, 2, 2, 3, 2);
