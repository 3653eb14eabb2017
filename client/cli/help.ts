/** What `--help` teaches besides the options. */

export const PROGRAM = `
A first walk (keep a house running in another terminal: cloister up --data DIR):
  cloister status                                     is there a house, and what has it done
  cloister account new ANN                            an account with keys of its own
  cloister account new BEN                            names BEN's account: 17 in a new house
  cloister deposit ANN 5000                           dollars, up to six decimals
  cloister deposit BEN 5000
  cloister trade propose ANN 17 BTC-27MAR20:2@76.5    ANN buys 2 lots from BEN's account 17 at $76.50
  cloister trade list BEN                             in another terminal: the proposal and its ID
  cloister trade affirm BEN ID                        BEN agrees; both commands sign
  cloister account show ANN                           opened from L1 with ANN's own key
  cloister withdraw ANN 100                           signed, settled by a batch, paid on L1
  cloister audit                                      do not believe any of it: check it

Exit codes: 0 done, 1 refused by a rule (named) or an audit that found something, 2 could not be
done. Keys stay in the member's directory (mode 0600); no command prints or takes them.`

export const UP = `
Examples:
  cloister up --data ~/house
  cloister up --data ~/house --port 9000
The directory holds all of it: L1, journal, keys (mode 0600), logs. Ctrl-C stops in good order; after
a crash the same command goes on with everything that was acknowledged. Prices stand at those of
12 March 2020, 04:00; nothing expires. With --json a line when the house is open, with url, rpc, operator,
contract, data, batch and pid, and another when it has stopped. Proving keys are DEVELOPMENT keys: anybody can forge proofs.
Other commands find the house by --data, CLOISTER_DATA, --house, CLOISTER_HOUSE, or as the last started.`

export const ACCOUNT_NEW = `
Examples:
  cloister account new ANN
  cloister account new ANN --dir ~/keys/ann --dollars 250000
Makes a seed and an L1 key, both readable by you alone. On a local chain (id 31337) the L1 address
gets gas and test dollars. Asked again after an interruption, it goes on where it stopped.`

export const ACCOUNT_SHOW = `
Examples:
  cloister account show ANN
  cloister account show ANN --json
Reads L1 and opens the leaf with the keys of the directory; needs no house. If one answers, its
table is checked against the root on L1 and the worth in each of the 16 worlds is printed.`

export const ACCOUNT_ROTATE = `
Examples:
  cloister account rotate ANN             owner and view key, by a page signed with the old key
  cloister account rotate ANN --l1        the owner key alone, by the L1 owner: wins over any page
  cloister account rotate ANN --l1 --print
By a page: pages before it settle under the old key, nothing may follow it until its batch; then the
new keys sign. From L1: the view key stays (the page changes it, afterwards), and pages that have not
settled when a batch serves it must be signed anew with the new key, or are void.
Interrupted at any moment, the same command finishes the rotation, or says that it is done: what the
leaf on L1 has decides which keys are valid. All keys follow from the seed, so a rotation helps where a
key got out. Where the SEED got out it does not: withdraw or exit, and open another account.`

export const ACCOUNT_ATTEND = `
Examples:
  cloister account attend ANN
  cloister account attend ANN --json >> ann.events      one JSON object a line
A page that cannot settle any more is cut from the journal, and with it those behind it: the house then
waits a minute for their owner to sign them anew, and drops them. This process signs them, whether or
not somebody is at the keyboard. It signs nothing else: trades are affirmed and signed by hand.
Each event is a line: trades and pages with their states, batches that changed the account, what was
signed anew, what was lost. It begins where it ended the last time, says when the house does not answer,
and tries again after 1, 2, 4, 8, then 15 seconds. One process attends an account; other commands work beside
it, and each signs while the others wait. Ctrl-C ends it with exit code 0.`

export const DEPOSIT = `
Examples:
  cloister deposit ANN 5000
  cloister deposit ANN 0.000001 --no-wait`

export const WITHDRAW = `
Examples:
  cloister withdraw ANN 100
  cloister withdraw ANN 99.95 --to 0x000000000000000000000000000000000000dEaD
Interrupted, or with --no-wait: cloister claim ANN goes on.`

export const TRADE = `
Legs are INSTRUMENT:QUANTITY@PRICE: whole lots (negative to sell), dollars a lot. Up to three legs
settle together or not at all. Examples:
  cloister trade propose ANN 25 BTC-27MAR20:2@75.5
  cloister trade propose ANN 25 BTC-27MAR20:-1@75.5 BTC-26JUN20:1@76.25
  cloister trade list BEN
  cloister trade affirm BEN t1773979200-0123456789ab
A perpetual is named at the price that is quoted: what is signed is that price less the cumulative
funding of the newest confirmed table on L1, and table, price and funding stand in the document that
both sides sign. BEN's command computes them again from L1 before it affirms:
  cloister trade propose ANN 25 BTC-PERP:3@76.71
From the moment a trade is affirmed both sides have two minutes to sign it. propose and affirm wait
and sign by themselves; after --no-wait, cloister trade sign NAME does.`

export const TRADE_AFFIRM = `
Examples:
  cloister trade affirm BEN t1773979200-0123456789ab
  cloister trade affirm BEN t1773979200-0123456789ab --document agreed.json
What another cloister command proposed is written again here, from L1, and must have the hash that was
proposed. Of other programs' trades in perpetuals the document must be given: {"table":7,
"perpetuals":[{"instrument":1038,"price":"76710000","funding":"41205"}]}, and whatever else they
agreed; amounts are micro-dollars a lot.`

export const STATUS = `
Examples:
  cloister status
  cloister status --json --house http://127.0.0.1:8080`

export const AUDIT = `
Examples:
  cloister audit
  cloister audit --rpc http://127.0.0.1:8545 --contract 0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512
It says first whether the house is frozen, paused or late with its sweep, and what is announced to its
lock; then each check. The code is compared with a compile of this checkout, and so is the constructor
that house and oracle were made by.
Exit codes: 0 everything held, 1 something does not hold, 2 something could not be read.`
