// Claims of accounts whose marks lie in at most eight nodes, at most one holding settled and unconverted.
pragma circom 2.2.0;

include "../escape.circom";

component main {public [root, tableRoot, settlementRoot, index, equity]} = Escape(8, 1);
