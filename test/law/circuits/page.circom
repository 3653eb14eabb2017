// Page alone, for the vectors.
pragma circom 2.2.0;

include "../../../circuits/page.circom";

component main = Page();
