// RowNode alone, for its cost.
pragma circom 2.2.0;

include "../../../circuits/row.circom";

component main = RowNode();
