// TableRoot alone, for the vectors.
pragma circom 2.2.0;

include "../../../circuits/lib/tree.circom";

component main = TableRoot();
