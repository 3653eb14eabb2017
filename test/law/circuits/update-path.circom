// UpdatePath alone, for its cost.
pragma circom 2.2.0;

include "../../../circuits/lib/tree.circom";

component main = UpdatePath(1);
