// Shape sparse. Generated from circuits/params.ts and circuits/encodings.ts by `npm run generate`.
pragma circom 2.2.0;

include "../batch.circom";

component main {public [C, x, y]} = Batch(16, 16, 16, 2, 4, 4, 2, 1, 8, 1, 4, 4);
