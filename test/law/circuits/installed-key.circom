// InstalledKey alone, for the vectors.
pragma circom 2.2.0;

include "../../../circuits/edges.circom";

component main = InstalledKey();
