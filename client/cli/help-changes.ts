/** What `cloister changes --help` teaches besides the options. */

export const CHANGES = `
Examples:
  cloister changes --rpc https://node.example --contract 0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512
  cloister changes --json | jq '.changes[] | select(.state == "waiting")'
WAITING can be cancelled, DUE can be carried out by anybody, LAPSED must be announced again; DONE and
CANCELLED are over. Who dislikes a change that waits leaves: cloister exit force. docs/change-control.md
says what a change can never touch.
Exit codes: 0 read, or done; 1 a rule refuses it (named); 2 could not be read or done.`

const SENT = `
Nothing is sent without --yes: the call is tried on the node and shown. The key comes from --key-file (mode
600) or CLOISTER_L1_KEY, never from the command line. --rpc and --contract name the house.
Exit codes: 0 sent, would be sent, or was so already; 1 a rule refuses it (named); 2 could not be done.`

export const ANNOUNCE = `
Examples:
  cloister changes announce setFee 300000
  cloister changes announce setSigners 0xAAA...,0xBBB...,0xCCC... 2 3      (addresses ascending)
  cloister changes announce addShape 3 6 6 1 6 VERIFIER KEYHASH false small
  cloister changes announce grantRole OPERATOR 0xDDD... --of house
  cloister changes announce setTiming '{"maxAge":120,"confirmWindow":3600,"agreementDelay":300,
    "settlementWindow":1800,"challengeDelay":7200}'
  cloister changes announce setWorlds @worlds.json
Changes: setFee addToken addShape addSweepShape addEscapeShape setSigners setTiming addUnderlying setBand
retireUnderlying setWorlds updateDelay grantRole revokeRole; with too few values each says what it takes.
Lists: a,b,c. Structs: JSON. Roles by name: OPERATOR ORACLE GUARDIAN (house), LISTER GUARDIAN (oracle),
PROPOSER_ROLE CANCELLER_ROLE (lock). Where the same change waits already, that is told and nothing sent.
It says from when it can be carried out, until when, and until when a member can begin to leave before it.${SENT}`

export const EXECUTE = `
Example:
  cloister changes execute 0x52a1... --key-file any.key --yes
The id is what announce printed, and cloister changes lists. Due for 14 days from its day on.${SENT}`

export const CANCEL = `
Example:
  cloister changes cancel 0x52a1... --key-file guardian.key --yes
What is cancelled can be announced again, and then waits its whole delay again.${SENT}`

export const SEAL = `
Example:
  cloister audit && cloister changes seal --key-file founder.key --yes
  cloister changes unpause --key-file guardian.key --yes
There is no way back. Before: every verifier, token, role and signer as it shall be, since each later
change waits out the delay; verifiers of claims, or nobody could be paid after a freeze (a public house
is not sealed without). A sealed house opens when its guardian unpauses it.${SENT}`

export const PAUSE = `
The guardian's. A house that is paused for batchDelay (7 days) can be frozen by anybody.${SENT}`
