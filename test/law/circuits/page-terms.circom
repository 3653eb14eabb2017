// PageTerms alone, for its cost.
pragma circom 2.2.0;

include "../../../circuits/page.circom";

component main = PageTerms();
