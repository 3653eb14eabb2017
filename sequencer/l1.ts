/** The sequencer's door to L1: what the contract says becomes plain values, batches become transactions. */
import { Contract, JsonRpcProvider, Wallet, type EventLog, type InterfaceAbi } from 'ethers'
import { REQUEST_KIND } from '../circuits/params.ts'
import type { L1Request } from '../circuits/batch.ts'
import { settledRow, type Row } from '../circuits/table.ts'
import type { Groth16Proof } from '../prover/groth16.ts'
import { contractsOf } from './deploy.ts'

export type L1Deposit = {
  readonly id: bigint
  readonly token: number
  readonly amount: bigint
  readonly commitment: bigint
}
export type L1Table = { readonly number: bigint; readonly root: bigint; readonly time: bigint }
/** Everything new since the last look, in order. */
export type L1News = {
  readonly requests: readonly L1Request[]
  readonly deposits: readonly L1Deposit[]
  readonly refundRequests: readonly bigint[]
  readonly settled: readonly Row[]
  readonly latestTable: L1Table | null
}
export type Submission = {
  readonly shapeId: bigint
  readonly time: bigint
  readonly newRoot: bigint
  readonly tableNumber: bigint
  readonly batchNonce: bigint
  readonly requestCount: number
  readonly depositIds: readonly bigint[]
  readonly withdrawals: readonly {
    readonly token: number
    readonly amount: bigint
    readonly to: bigint
  }[]
  /** Lots paid to each forced exit that the batch serves, in the order of the queue. */
  readonly forcedPayments?: readonly bigint[]
  readonly accountWords: readonly bigint[]
  readonly commitment: bigint
  readonly proof: Groth16Proof
}

export function addressOf(word: bigint): string {
  return `0x${word.toString(16).padStart(40, '0')}`
}

/** The proof's eight numbers in the order that the precompile takes them. */
export function proofWords(proof: Groth16Proof): readonly bigint[] {
  const [a, b, c] = [proof.pi_a, proof.pi_b, proof.pi_c] as unknown as [
    string[],
    string[][],
    string[],
  ]
  const list = [a[0], a[1], b[0]?.[1], b[0]?.[0], b[1]?.[1], b[1]?.[0], c[0], c[1]]
  return list.map((word) => BigInt(word as string))
}

export class SequencerL1 {
  readonly provider: JsonRpcProvider
  readonly wallet: Wallet
  readonly contract: Contract
  private nextBlock = 0

  constructor(rpcUrl: string, contract: string, operatorKey: string) {
    this.provider = new JsonRpcProvider(rpcUrl, undefined, {
      cacheTimeout: -1,
      polling: true,
      pollingInterval: 100,
    })
    this.wallet = new Wallet(operatorKey, this.provider)
    this.contract = new Contract(
      contract,
      contractsOf()['Cloister']?.abi as InterfaceAbi,
      this.wallet,
    )
  }

  async news(): Promise<L1News> {
    const head = await this.provider.getBlockNumber()
    const empty: L1News = {
      requests: [],
      deposits: [],
      refundRequests: [],
      settled: [],
      latestTable: null,
    }
    if (head < this.nextBlock) return empty
    const logs = await this.contract.queryFilter('*', this.nextBlock, head)
    this.nextBlock = head + 1
    const named = (name: string): EventLog[] =>
      logs.filter((log): log is EventLog => 'eventName' in log && log.eventName === name)
    const table = named('TablePosted').at(-1)
    return {
      requests: named('RequestQueued').map(({ args }) => ({
        kind:
          Number(args['kind']) === REQUEST_KIND.register
            ? ('register' as const)
            : ('rotate' as const),
        serial: args['serial'] as bigint,
        account: Number(args['account']),
        key: { x: args['x'] as bigint, y: args['y'] as bigint },
        viewKeyHash: args['viewKeyHash'] as bigint,
      })),
      deposits: named('Deposited').map(({ args }) => ({
        id: args['id'] as bigint,
        token: Number(args['token']),
        amount: args['amount'] as bigint,
        commitment: args['commitment'] as bigint,
      })),
      refundRequests: named('RefundRequested').map(({ args }) => args['id'] as bigint),
      settled: named('SettlementPosted').flatMap(({ args }) => {
        const values = args[1] as readonly bigint[]
        return (args[0] as readonly bigint[]).map((id, i) =>
          settledRow(Number(id), values[i] as bigint),
        )
      }),
      latestTable:
        table === undefined
          ? null
          : {
              number: table.args['number'] as bigint,
              root: table.args['root'] as bigint,
              time: table.args['time'] as bigint,
            },
    }
  }

  /** The operator's word that it holds the view key: without it the contract takes no registration. */
  async countersign(registration: {
    l1Owner: string
    ownerX: bigint
    ownerY: bigint
    viewKeyHash: bigint
  }): Promise<string> {
    const { chainId } = await this.provider.getNetwork()
    const nonce = (await this.contract.getFunction('registrationNonce')(
      registration.l1Owner,
    )) as bigint
    const domain = {
      name: 'Cloister',
      version: '1',
      chainId,
      verifyingContract: await this.contract.getAddress(),
    }
    const uint = (name: string): { name: string; type: string } => ({ name, type: 'uint256' })
    const types = {
      Registration: [
        { name: 'l1Owner', type: 'address' },
        uint('ownerX'),
        uint('ownerY'),
        uint('viewKeyHash'),
        uint('nonce'),
      ],
    }
    return this.wallet.signTypedData(domain, types, { ...registration, nonce })
  }

  /** Signed on acceptance of a page; anyone can check it offline against the operator's address. */
  signReceipt(text: string): Promise<string> {
    return this.wallet.signMessage(text)
  }

  /** Sends a batch and waits for it. Returns the gas used; throws the contract's own error by name. */
  async submit(s: Submission): Promise<{ readonly gasUsed: bigint; readonly hash: string }> {
    const header = [s.shapeId, s.time, s.newRoot, s.tableNumber, s.batchNonce, s.requestCount]
    const withdrawals = s.withdrawals.map((w) => [w.token, w.amount, addressOf(w.to)])
    try {
      const sent = await this.contract.getFunction('submitBatch')(
        header,
        s.depositIds,
        withdrawals,
        s.forcedPayments ?? [],
        s.accountWords,
        s.commitment,
        proofWords(s.proof),
      )
      const receipt = await sent.wait()
      return { gasUsed: receipt.gasUsed as bigint, hash: receipt.hash as string }
    } catch (error) {
      const data = (error as { data?: string }).data
      const parsed = typeof data === 'string' ? this.contract.interface.parseError(data) : null
      if (parsed === null) throw error
      throw new Error(`L1 refused the batch: ${parsed.name}(${parsed.args.join(', ')})`, {
        cause: error,
      })
    }
  }

  close(): void {
    this.provider.destroy()
  }
}
