// Claims of any account, wherever its marks lie and however many of its holdings have settled.
pragma circom 2.2.0;

include "../escape.circom";

component main {public [root, tableRoot, settlementRoot, index, equity]} = Escape(17, 17);
