// ForcedExit alone, for its cost.
pragma circom 2.2.0;

include "../../../circuits/exit.circom";

component main = ForcedExit(1, 1, 1);
