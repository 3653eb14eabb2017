// Row alone, for the vectors.
pragma circom 2.2.0;

include "../../../circuits/row.circom";

component main = Row();
