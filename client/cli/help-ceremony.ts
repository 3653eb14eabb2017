/** What `cloister ceremony --help` teaches besides the options. */

export const CEREMONY = `
docs/ceremony.md leads N parties through it. In short, for the shape small:
  cloister ceremony prepare small                                        everybody
  cloister ceremony init small 0.zkey --phase1 FILE --party Ann Ben \\
    --beacon-source 'drand quicknet, round 12345678'                     one party; publishes
  cloister ceremony contribute 0.zkey 1.zkey --name Ann                  Ann, on her machine
  cloister ceremony contribute 1.zkey 2.zkey --name Ben                  Ben, on his
  cloister ceremony beacon 2.zkey final.zkey --value HEX                 anybody, afterwards
  cloister ceremony verify small final.zkey --phase1 FILE                everybody
  cloister ceremony export final.zkey --out keys
  cloister ceremony deploy keys/VerifierSmall.sol --rpc URL --key-file FILE --yes
Each key file NAME.zkey travels with NAME.transcript.json. No step writes over a file.
Exit codes: 0 done, 1 a rule of the ceremony does not hold (named), 2 could not be done.`

export const PREPARE = `
Examples:
  cloister ceremony prepare standard
  cloister ceremony prepare --power 18 --mirror https://mirror.example/ptau/
  cloister ceremony prepare --from powersOfTau28_hez_final_18.ptau
The files are those of the Perpetual Powers of Tau as snarkjs lists them; 2^18 has 288 MiB.`

export const INIT = `
Examples:
  cloister ceremony init small 0.zkey --phase1 FILE --party Ann Ben Cyd \\
    --beacon-source 'Ethereum mainnet, hash of block 25000000' --beacon-iterations 20
The circuit is one of a batch (mini, small, sparse, standard, large, entry), of claims (escape,
escape-settled), of sweeps (sweep, sweep-wide, ...), or a .circom file.`

export const CONTRIBUTE = `
Example:
  cloister ceremony contribute 1.zkey 2.zkey --name Ben
The secret comes from the operating system; typed text is mixed in and need not be kept.`

export const VERIFY = `
Example:
  cloister ceremony verify small final.zkey --phase1 FILE --announcement HEX \\
    --published HASH-OF-ANN HASH-OF-BEN --beacon HEX
Compiles the circuit anew, makes the initial key again (minutes to hours), follows the chain, deploys
the verifier on a chain within the process and tries forged proofs against it.`

export const DEPLOY = `
Example:
  cloister ceremony deploy keys/VerifierSmall.sol --rpc https://node.example --key-file payer.key --yes
Then: cloister changes announce addShape ID MEMBERS DEPOSITS WITHDRAWALS REQUESTS ADDRESS 0xKEYHASH false small
The key hash is what export printed; cloister audit --keys keys compares code and key.`

export const CIRCUITS = `
Examples:
  cloister circuits mini --fresh --keys
  cloister circuits --json
All hashes are SHA-256: of the r1cs file, of the verification key as the contract keeps it, of the
verifier's creation code. prover/fingerprints.json has what they must be, and why they last changed.
Exit codes: 0 as committed, 1 something differs.`
