/** Who may call what: one rule for every function that writes, of every contract. */
import { ethers } from 'ethers'
import { BAND, KEYS, TIMING } from './oracle-world.ts'
import { addressOfKey } from '../../oracle/signer/report.ts'
import { PROOF, batchArguments, createBatch } from './batch-data.ts'
import { KEY_HASH, send } from './l1.ts'
import { type SealedWorld } from './sealed.ts'

export type Party =
  'lock' | 'founder' | 'guardian' | 'operator' | 'oracle' | 'lister' | 'owner' | 'self'
export type Rule = {
  /** Who may call; null: anybody, and `why` says what binds the call instead. */
  readonly by: Party | null
  readonly why?: string
  /** What everybody else is told. */
  readonly error?: string
  readonly args?: (world: SealedWorld) => readonly unknown[] | Promise<readonly unknown[]>
  /** Wei that are sent along. */
  readonly wei?: bigint
  /** The rule can only be seen in a frozen house. */
  readonly isOfFrozen?: boolean
}

const ROLE = 'AccessControlUnauthorizedAccount'
const ANY = ethers.ZeroHash
const role = (name: string): string => ethers.id(name)
const lock = (args: Rule['args']): Rule => ({ by: 'lock', error: ROLE, args: args! })
const anybody = (why: string): Rule => ({ by: null, why })
const owner = (error: string, args: readonly unknown[], more: Partial<Rule> = {}): Rule => ({
  by: 'owner',
  error,
  args: () => args,
  ...more,
})

const shape = ({ address }: SealedWorld) => [9n, 3n, 2n, 1n, 2n, address, KEY_HASH, false, 'x']

/** Account 16 and deposit 1 are the owner's. */
export const HOUSE_RULES: Readonly<Record<string, Rule>> = {
  'seal()': lock(() => []),
  'addToken(uint256,address,uint256,uint256)': lock(({ address }) => [2n, address, 1n, 1n]),
  'addShape(uint256,uint256,uint256,uint256,uint256,address,bytes32,bool,string)': lock(shape),
  'addSweepShape(uint256,uint256,address,bytes32,bool,string)': lock(({ address }) => [
    9n,
    8n,
    address,
    KEY_HASH,
    false,
    'x',
  ]),
  'addEscapeShape(uint256,address,bytes32,bool,string)': lock(({ address }) => [
    9n,
    address,
    KEY_HASH,
    false,
    'x',
  ]),
  'setFee(uint256)': lock(() => [1n]),
  'grantRole(bytes32,address)': lock(({ stranger }) => [role('OPERATOR'), stranger]),
  'revokeRole(bytes32,address)': lock(({ operator }) => [role('OPERATOR'), operator]),
  'renounceRole(bytes32,address)': {
    by: 'self',
    error: 'AccessControlBadConfirmation',
    args: ({ address }) => [role('ORACLE'), address],
  },
  'pause()': { by: 'guardian', error: ROLE, args: () => [] },
  'unpause()': { by: 'guardian', error: ROLE, args: () => [] },
  'setMode(uint256)': { by: 'guardian', error: ROLE, args: () => [1n] },
  'submitBatch(tuple,uint64[],tuple[],uint64[],uint256[],uint256,uint256[8])': {
    by: 'operator',
    error: ROLE,
    args: async (world) => batchArguments(await createBatch(world)),
  },
  'postTable(uint256,uint256,bytes32,bytes,bool)': {
    by: 'oracle',
    error: ROLE,
    args: () => [1n, 1n, ANY, '0x', false],
  },
  'confirmTable(uint256)': {
    by: 'oracle',
    error: ROLE,
    args: ({ cloister }) =>
      cloister
        .getFunction('tableNumber')()
        .then((number: bigint) => [number]),
  },
  'postSettlement(uint256[],int256[],uint256)': {
    by: 'oracle',
    error: ROLE,
    args: () => [[], [], 1n],
  },
  'confirmConverted(uint256)': {
    by: 'operator',
    error: ROLE,
    args: async ({ cloister, oracle }) => {
      await send(oracle, cloister, 'postSettlement', [1024n], [0n], 1n)
      return [1n]
    },
  },
  'rotate(uint256,uint256,uint256)': owner('CallerMustBeL1Owner', [16n, 1n, 1n]),
  'offerL1Owner(uint256,address)': owner('CallerMustBeL1Owner', [16n, ethers.ZeroAddress]),
  'acceptL1Owner(uint256)': owner('CallerMustBeNextL1Owner', [16n]),
  'requestRefund(uint256)': owner('CallerMustBeDepositor', [1n]),
  'takeRefund(uint256)': owner('CallerMustBeDepositor', [1n]),
  'forceExit(uint256,uint256,address)': owner(
    'CallerMustBeL1Owner',
    [16n, 1n, ethers.toBeHex(1, 20)],
    { wei: 10n ** 18n },
  ),
  'escapeClaim(uint256,uint256,uint256,uint256[8])': owner(
    'CallerMustBeL1Owner',
    [1n, 16n, 1n, PROOF],
    { isOfFrozen: true },
  ),
  'escapePay(uint256,uint256,address)': owner(
    'CallerMustBeL1Owner',
    [16n, 1n, ethers.toBeHex(1, 20)],
    { isOfFrozen: true },
  ),
  'register(uint256,uint256,uint256,bytes)': anybody('an operator countersigns'),
  'deposit(uint256,uint256,uint256)': anybody('pays for it'),
  'claim(uint256,uint256,uint256,uint256,address,bytes32[])': anybody('pays whom the batch named'),
  'freeze(uint8,uint256)': anybody('a ground must hold'),
  'submitSweep(uint256,uint256,uint256,uint256,uint256[8])': anybody('a proof must hold'),
  'valuePot(bytes)': anybody('the marks must hash to what the table was posted with'),
}

const signers = () => [KEYS.map(addressOfKey), 3n, 5n]
export const ORACLE_RULES: Readonly<Record<string, Rule>> = {
  'setSigners(address[],uint256,uint256)': lock(signers),
  'setTiming(tuple)': lock(() => [TIMING]),
  'addUnderlying(string,tuple)': lock(() => ['SOL', BAND]),
  'setBand(uint256,tuple)': lock(() => [1n, BAND]),
  'retireUnderlying(uint256)': lock(() => [1n]),
  'setWorlds(bytes)': lock(() => ['0x7b7d']),
  'grantRole(bytes32,address)': lock(({ stranger }) => [role('GUARDIAN'), stranger]),
  'revokeRole(bytes32,address)': lock(({ guardian }) => [role('GUARDIAN'), guardian]),
  'renounceRole(bytes32,address)': {
    by: 'self',
    error: 'AccessControlBadConfirmation',
    args: ({ address }) => [role('LISTER'), address],
  },
  'list(tuple[],bytes)': { by: 'lister', error: ROLE, args: () => [[], '0x7b7d'] },
  'post(tuple,bytes[])': anybody('a quorum signs'),
  'confirm(uint256,bytes[])': anybody('the large quorum signs'),
  'settle(tuple,bytes[])': anybody('a quorum signs'),
  'replaceSettlement(tuple,bytes[])': anybody('the large quorum signs'),
  'vetoSettlement(uint256,bytes[])': anybody('the large quorum signs, or the guardian calls'),
  'finaliseSettlement(tuple)': anybody('its delay is over'),
}

const call = async ({ address, cloister }: SealedWorld) =>
  [address, 0n, cloister.interface.encodeFunctionData('setFee', [1n]), ANY, ANY] as const
export const LOCK_RULES: Readonly<Record<string, Rule>> = {
  'schedule(address,uint256,bytes,bytes32,bytes32,uint256)': {
    by: 'founder',
    error: ROLE,
    args: async (world) => [...(await call(world)), 30n * 86_400n],
  },
  'scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)': {
    by: 'founder',
    error: ROLE,
    args: async (world) => {
      const [to, wei, data, ...rest] = await call(world)
      return [[to], [wei], [data], ...rest, 30n * 86_400n]
    },
  },
  // The guardian and the founder: tested by itself.
  'cancel(bytes32)': { by: 'guardian', error: ROLE, args: () => [ethers.id('nothing')] },
  'updateDelay(uint256)': {
    by: 'lock',
    error: 'TimelockUnauthorizedCaller',
    args: () => [40n * 86_400n],
  },
  'grantRole(bytes32,address)': lock(({ stranger }) => [role('PROPOSER_ROLE'), stranger]),
  'revokeRole(bytes32,address)': lock(({ founder }) => [role('PROPOSER_ROLE'), founder]),
  'renounceRole(bytes32,address)': {
    by: 'self',
    error: 'AccessControlBadConfirmation',
    args: ({ address }) => [role('PROPOSER_ROLE'), address],
  },
  'execute(address,uint256,bytes,bytes32,bytes32)': anybody('it was announced and is due'),
  'executeBatch(address[],uint256[],bytes[],bytes32,bytes32)': anybody(
    'it was announced and is due',
  ),
  'onERC721Received(address,address,uint256,bytes)': anybody('keeps nothing'),
  'onERC1155Received(address,address,uint256,uint256,bytes)': anybody('keeps nothing'),
  'onERC1155BatchReceived(address,address,uint256[],uint256[],bytes)': anybody('keeps nothing'),
}

/** Functions that write, as the ABI has them. */
export function writersOf({ interface: known }: ethers.Contract): readonly string[] {
  return known.fragments
    .filter((each): each is ethers.FunctionFragment => each.type === 'function')
    .filter(({ stateMutability }) => stateMutability !== 'view' && stateMutability !== 'pure')
    .map(
      ({ name, inputs }) =>
        `${name}(${inputs.map(({ baseType, type, arrayChildren }) =>
          baseType === 'tuple' ? 'tuple' : arrayChildren?.baseType === 'tuple' ? 'tuple[]' : type,
        )})`,
    )
    .sort()
}
