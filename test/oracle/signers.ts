/** Five signers over HTTP with sources that tests can move, and signers that lie. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import type { SigningKey } from 'ethers'
import { SETTLEMENT_DEPTH } from '../../circuits/params.ts'
import { emptyRoot } from '../../circuits/tree.ts'
import { ask, type Limits, type Peer } from '../../oracle/collector/gather.ts'
import type { CollectorOptions } from '../../oracle/collector/rounds.ts'
import { configFrom, type SignerConfig } from '../../oracle/signer/config.ts'
import type { InstrumentSpec } from '../../oracle/signer/engine.ts'
import { RECORDED_INDEX } from '../../oracle/day-2020-03-12.ts'
import { addressOfKey, stringify, type Domain } from '../../oracle/signer/report.ts'
import { serveSigner } from '../../oracle/signer/server.ts'
import { Signer, type Documents, type SignerOptions } from '../../oracle/signer/signer.ts'
import { provider } from '../contracts/l1.ts'
import {
  createOracleWorld,
  KEYS,
  SPECS,
  WORLDS,
  type OracleWorld,
} from '../contracts/oracle-world.ts'
import { marketDocument } from '../contracts/oracle-market.ts'

export type Prices = { readonly BTC: string; readonly ETH: string }
export const CALM: Prices = { BTC: '6067.01', ETH: '136.59' }

export type Node = Peer & {
  readonly signer: Signer
  readonly config: SignerConfig
  /** What its three sources say from now on. */
  readonly see: (prices: Prices, time: number) => void
  readonly close: () => Promise<void>
}

export function configOf(domain: Domain, folder: string, change: object = {}): unknown {
  const market = marketDocument(0)
  const source = (name: string, i: number) => ({
    kind: 'file',
    path: `${name}-${i}.json`,
    price: 'price',
    time: 'time',
  })
  mkdirSync(folder, { recursive: true })
  return {
    chainId: Number(domain.chainId),
    contract: domain.contract,
    policy: {
      rate: market.rate,
      perpetuals: [],
      underlyings: market.underlyings.map(({ id: _id, spot: _spot, ...policy }) => policy),
    },
    underlyings: market.underlyings.map(({ id, name }) => ({
      id,
      name,
      index: RECORDED_INDEX,
      sources: [1, 2, 3].map((i) => source(name, i)),
    })),
    maxAge: 100,
    maxSpread: 100,
    minSources: 2,
    tolerance: 50,
    clockSlack: 30,
    confirmAfter: 60,
    maxGap: 7200,
    timeoutMs: 60_000,
    replay: null,
    perpetuals: null,
    ...change,
  }
}

export function writePrices(folder: string, prices: Prices, time: number): void {
  for (const name of ['BTC', 'ETH'] as const) {
    for (const i of [1, 2, 3]) {
      writeFileSync(
        join(folder, `${name}-${i}.json`),
        JSON.stringify({ price: prices[name], time }),
      )
    }
  }
}

export async function startSigner(
  domain: Domain,
  key: SigningKey,
  clock: () => number,
  documents = { worlds: WORLDS, instruments: SPECS },
  more: Partial<SignerOptions> = {},
): Promise<Node> {
  const folder = mkdtempSync(join(tmpdir(), 'cloister-signer-'))
  const config = configFrom(configOf(domain, folder), folder)
  const signer = new Signer({ config, documents, key, clock, ...more })
  const app = await serveSigner(signer, { port: 0 })
  return {
    url: app.listeningOrigin,
    address: signer.address,
    signer,
    config,
    see: (prices, time) => writePrices(folder, prices, time),
    close: async () => {
      await app.close()
    },
  }
}

/** Nobody is silent because the machine is slow. */
export const LIMITS: Limits = { timeoutMs: 300_000, bytes: 100_000 }

export const askSigner = (peer: Peer, path: string, body: unknown): Promise<unknown> =>
  ask(peer, path, body, LIMITS)

/** An oracle and a house of these instruments, five signers of `documents`, and who collects from them. */
export async function startFive(
  specs: readonly InstrumentSpec[],
  documents: Documents,
  clock: () => number,
  more: (world: OracleWorld) => Partial<SignerOptions> = () => ({}),
): Promise<{ world: OracleWorld; nodes: readonly Node[]; options: CollectorOptions }> {
  const listed = specs.filter(({ kind }) => kind !== 'cash')
  const world = await createOracleWorld({ settlementRoot: emptyRoot(SETTLEMENT_DEPTH), listed })
  const nodes = await Promise.all(
    KEYS.map((key) => startSigner(world.domain, key, clock, documents, more(world))),
  )
  const wallet = await provider.getSigner(world.anyone)
  const { contract } = world.domain
  return { world, nodes, options: { provider, wallet, contract, peers: nodes, limits: LIMITS } }
}

/** A server that answers as it likes under a signer's name. */
export async function startLiar(
  key: SigningKey,
  answer: (path: string, body: unknown) => unknown,
): Promise<Peer & { close: () => void }> {
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (part: Buffer) => {
      text += part.toString()
    })
    request.on('end', () => {
      void (async () => {
        const said = await answer(request.url ?? '', text === '' ? null : JSON.parse(text))
        if (said === undefined) return
        response.end(typeof said === 'string' ? said : stringify(said))
      })()
    })
  })
  // A connection that is ended while it is asked is a signer that does not answer.
  server.keepAliveTimeout = 0
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    address: addressOfKey(key),
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
