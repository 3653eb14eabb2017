/** TypeScript and Circom say the same: vectors replayed by both, and the rule lists of the twins. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildEddsa } from 'circomlibjs'
import { beforeAll, describe, expect, test } from 'vitest'
import { circuitOf, PROJECT_ROOT } from '../../prover/artifacts.ts'
import { readR1csInfo } from '../../prover/r1cs.ts'
import {
  balancesFromWords,
  balanceWords,
  decryptAccount,
  ownerKeyHash,
} from '../../circuits/account.ts'
import { isValidKey, sign, signingKey, timesEight, verify } from '../../circuits/eddsa.ts'
import { mod } from '../../circuits/field.ts'
import {
  circomConstants,
  encodingsPage,
  shapeCircuit,
  solidityConstants,
} from '../../circuits/gen-params.ts'
import {
  BALANCE_WORD_COUNT,
  CIPHER_WORD_COUNT,
  PAGE_KIND,
  SHAPES,
  SLOT_COUNT,
  type PageKind,
} from '../../circuits/params.ts'
import { hashWithTag } from '../../circuits/poseidon.ts'
import { SLOT_FIELDS, SLOTS, type SlotName } from '../../circuits/records.ts'
import { RULES } from '../../circuits/rules.ts'
import type { WitnessInput } from '../../circuits/witness.ts'
import { DEPOSIT_WORDS, headerWords, WITHDRAWAL_WORDS } from '../../circuits/words.ts'
import { VECTORS } from '../vectors/generate.ts'
import { Circuit } from './circuit.ts'

type Loaded = { readonly circuit: Circuit; readonly outputs: number }
const NAMES = [
  'hash1',
  'hash3',
  'hash16',
  'hash40',
  'page',
  'leaf',
  'balances',
  'veil',
  'signature',
  'installed-key',
  'challenges',
  'table-root',
] as const
const loaded = new Map<string, Loaded>()
beforeAll(async () => {
  for (const name of NAMES) {
    const files = await circuitOf(join(import.meta.dirname, 'circuits', `${name}.circom`), name)
    loaded.set(name, {
      circuit: new Circuit(files),
      outputs: readR1csInfo(files.r1csPath).nOutputs,
    })
  }
})

function outputsOf(name: (typeof NAMES)[number], input: WitnessInput): readonly bigint[] {
  const { circuit, outputs } = loaded.get(name) as Loaded
  const witness = circuit.tryWitness(input)
  if (!Array.isArray(witness)) throw witness
  return witness.slice(1, 1 + outputs)
}

type Json = string | number | readonly Json[] | { readonly [key: string]: Json }
const plain = (value: unknown): Json =>
  JSON.parse(
    JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? v.toString() : v)),
  ) as Json

describe('vectors', () => {
  test.each(Object.keys(VECTORS))('%s.json is what TypeScript computes today', (name) => {
    const stored = JSON.parse(
      readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'),
    ) as Json
    expect(plain(VECTORS[name as keyof typeof VECTORS])).toEqual(stored)
  })

  test('hashes: every tag, 1, 3, 16 and 40 words', () => {
    for (const { tag, words, digest } of VECTORS.hashes) {
      expect(hashWithTag(BigInt(tag), words)).toBe(digest)
      expect(
        outputsOf(`hash${words.length as 1 | 3 | 16 | 40}`, { tag: BigInt(tag), in: words }),
      ).toEqual([digest])
    }
  })

  test('page heads', () => {
    for (const v of VECTORS.pages) {
      const kind = BigInt(PAGE_KIND[v.kind as PageKind])
      const isUsed = kind === 0n ? 0n : 1n
      const fee = 0n
      const input: WitnessInput = {
        time: kind === 0n ? 0n : v.stamp >> 20n,
        fee,
        'slot.isLive': isUsed,
        'slot.isSkipped': 0n,
        'slot.kindBit': [kind & 1n, kind >> 1n],
        'slot.account': BigInt(v.account),
        'slot.counterparty': BigInt(v.counterparty),
        'slot.stamp': v.stamp,
        'slot.maxFee': v.maxFee,
        'slot.previousHead': v.previousHead,
        'slot.payload': v.payload,
        'slot.instrument': v.entries.map((e) => BigInt(e.instrument)),
        'slot.quantity': v.entries.map((e) => e.quantity),
        'slot.price': v.entries.map((e) => e.price),
      }
      expect(outputsOf('page', input), String(v.name)).toEqual([v.head, kind === 3n ? 1n : 0n])
    }
  })

  test('balance words, leaves, salts and ciphertexts', () => {
    for (const v of VECTORS.leaves) {
      const slots = [{ id: 1, quantity: v.account.cash }, ...v.account.balances]
      const at = <T>(get: (slot: { id: number; quantity: bigint }) => T): T[] =>
        Array.from({ length: SLOT_COUNT }, (_, i) => get(slots[i] ?? { id: 0, quantity: 0n }))
      const balances = outputsOf('balances', {
        'held.id': at((s) => BigInt(s.id)).slice(1),
        'held.quantity': at((s) => mod(s.quantity)),
      })
      expect(balances.slice(0, BALANCE_WORD_COUNT), String(v.name)).toEqual(v.words)
      expect(balances.slice(BALANCE_WORD_COUNT, BALANCE_WORD_COUNT + SLOT_COUNT - 1)).toEqual(
        at((s) => (s.quantity < 0n ? -s.quantity : s.quantity)).slice(1),
      )
      expect(balancesFromWords(v.words)).toEqual({
        cash: v.account.cash,
        balances: v.account.balances,
      })
      expect(balanceWords(v.account)).toEqual(v.words)
      const { ownerKeyHash, viewKeyHash, head, meta, salt } = v.account
      expect(
        outputsOf('leaf', { ownerKeyHash, viewKeyHash, head, meta, word: v.words, salt }),
      ).toEqual([v.leaf])
      const veil = outputsOf('veil', {
        viewKey: v.viewKey,
        index: BigInt(v.index),
        batchNumber: v.batchNumber,
        batchNonce: v.batchNonce,
      })
      const stream = v.cipher.map((word, i) => mod(word - ([head, meta, ...v.words][i] as bigint)))
      expect(stream).toHaveLength(CIPHER_WORD_COUNT)
      expect(veil).toEqual([v.account.viewKeyHash, v.salt, ...stream])
      expect(decryptAccount(v.cipher, v.batchKey, v.account)).toEqual({
        ...v.account,
        salt: v.salt,
      })
    }
  })

  test('challenges and the root of a table', () => {
    const { challenges, tableRoot } = VECTORS.misc
    expect(
      outputsOf('challenges', { capacity: 17n, in: [challenges.x, ...Array<bigint>(15).fill(0n)] }),
    ).toEqual(challenges.outputs)
    expect(outputsOf('table-root', { node: tableRoot.nodes })).toEqual([tableRoot.root])
  })
})

describe('EdDSA-Poseidon', () => {
  const ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041n
  const input = (
    v: (typeof VECTORS.signatures)[number],
    over: WitnessInput = {},
  ): WitnessInput => ({
    enabled: 1n,
    ax: v.publicKey.x,
    ay: v.publicKey.y,
    rx: v.signature.r.x,
    ry: v.signature.r.y,
    s: v.signature.s,
    message: v.message,
    ...over,
  })

  test('vectors verify in TypeScript, in the circuit and in circomlibjs', async () => {
    const eddsa = await buildEddsa()
    const { circuit } = loaded.get('signature') as Loaded
    for (const v of VECTORS.signatures) {
      const [key, other] = [
        signingKey(new Uint8Array(32).fill(v.seed)),
        signingKey(new Uint8Array(32).fill(99)),
      ]
      expect(sign(key, v.message)).toEqual(v.signature)
      expect(isValidKey(v.publicKey)).toBe(true)
      expect(timesEight(v.eighth)).toEqual(v.publicKey)
      expect(verify(v.publicKey, v.message, v.signature)).toBe(true)
      expect(circuit.accepts(input(v))).toBe(true)
      const theirs = {
        R8: [eddsa.F.e(v.signature.r.x), eddsa.F.e(v.signature.r.y)] as [Uint8Array, Uint8Array],
        S: v.signature.s,
      }
      const theirKey = [eddsa.F.e(v.publicKey.x), eddsa.F.e(v.publicKey.y)] as [
        Uint8Array,
        Uint8Array,
      ]
      expect(eddsa.verifyPoseidon(eddsa.F.e(v.message), theirs, theirKey)).toBe(true)
      const forged = [
        { s: v.signature.s + 1n },
        { s: 1n << 253n },
        { message: mod(v.message + 1n) },
        { ax: other.publicKey.x, ay: other.publicKey.y },
        { ax: 0n, ay: 1n },
        { rx: v.publicKey.x, ry: v.publicKey.y },
      ]
      for (const over of forged) expect(circuit.accepts(input(v, over))).toBe(false)
      // S + group order is the same point: the circuit takes it, admission does not.
      expect(circuit.accepts(input(v, { s: v.signature.s + ORDER }))).toBe(true)
      expect(verify(v.publicKey, v.message, { ...v.signature, s: v.signature.s + ORDER })).toBe(
        false,
      )
      expect(verify(other.publicKey, v.message, v.signature)).toBe(false)
      expect(outputsOf('installed-key', { isUsed: 1n, x: v.eighth.x, y: v.eighth.y })).toEqual([
        ownerKeyHash(v.installed),
      ])
    }
  })

  test('signatures of circomlibjs verify here', async () => {
    const eddsa = await buildEddsa()
    const { circuit } = loaded.get('signature') as Loaded
    for (let i = 0; i < 4; i++) {
      const secret = new Uint8Array(32).fill(200 + i)
      const message = hashWithTag(0n, [BigInt(i)])
      const [ax, ay] = eddsa.prv2pub(secret).map((c) => eddsa.F.toObject(c)) as [bigint, bigint]
      const { R8, S } = eddsa.signPoseidon(secret, eddsa.F.e(message))
      const [rx, ry] = R8.map((c) => eddsa.F.toObject(c)) as [bigint, bigint]
      expect(verify({ x: ax, y: ay }, message, { r: { x: rx, y: ry }, s: S })).toBe(true)
      expect(circuit.accepts({ enabled: 1n, ax, ay, rx, ry, s: S, message })).toBe(true)
    }
  })
})

describe('tidiness', () => {
  const dir = join(PROJECT_ROOT, 'circuits')
  const circomFiles = readdirSync(dir).filter((name) => name.endsWith('.circom'))

  test.each(circomFiles)('%s: the rules at its head are the headings of its body', (name) => {
    const [head, body] = readFileSync(join(dir, name), 'utf8').split(/^pragma circom.*$/m) as [
      string,
      string,
    ]
    const rules = (text: string): string[] =>
      [...text.matchAll(/^\s*\/\/\s+(\d+)\. ([A-Z]\w+)/gm)].map(([, n, rule]) => `${n}. ${rule}`)
    const listed = rules(head)
    expect([...new Set(rules(body))].sort()).toEqual([...listed].sort())
    listed.forEach((rule, i) => {
      expect(rule.startsWith(`${i + 1}. `)).toBe(true)
      expect(Object.keys(RULES)).toContain(rule.replace(/^\d+\. /, ''))
    })
  })

  test('records are filled field by field in the order of their buses', () => {
    const source = readFileSync(join(dir, 'records.circom'), 'utf8')
    const buses = new Map(
      [...source.matchAll(/^bus (\w+)\([^)]*\) \{\n([^}]*)\}/gm)].map(([, name, body]) => [
        name as string,
        [...(body as string).matchAll(/^ {4}(\w+)(?:\([^)]*\))? (\w+)[^;]*;/gm)].map(
          ([, type, field]) => [type as string, field as string] as const,
        ),
      ]),
    )
    const fieldsOf = (bus: string): readonly string[] =>
      (buses.get(bus) ?? []).flatMap(([type, field]) =>
        type === 'signal' ? [field] : fieldsOf(type).map((inner) => `${field}.${inner}`),
      )
    /** old.id is oldId, next.id newId; a cap's fields and those of a call are named after their slot. */
    const isNamed = (signal: string, field: string): boolean => {
      const last = field
        .replace(/^next\./, 'new.')
        .split('.')
        .slice(-1)[0] as string
      const prefix = /^(old|next)\./.exec(field)?.[1]?.replace('next', 'new') ?? ''
      const isCap = field === 'cap.is' || field === 'isStep'
      const ending = isCap ? (field === 'isStep' ? 'Step' : 'Cap') : last
      return signal.startsWith(prefix) && signal.toLowerCase().endsWith(ending.toLowerCase())
    }
    for (const name of Object.keys(SLOT_FIELDS) as SlotName[]) {
      const [fields, signals] = [fieldsOf(name), SLOT_FIELDS[name]]
      expect(fields.length, name).toBe(signals.length)
      signals.forEach((signal, i) => expect(isNamed(signal, fields[i]!), signal).toBe(true))
    }
    expect(buses.get('Slots')?.map(([type]) => type)).toEqual(SLOTS)
    expect(fieldsOf('Header')).toEqual(headerWords)
    expect(fieldsOf('DepositWords')).toEqual(DEPOSIT_WORDS)
    expect(fieldsOf('WithdrawalWords')).toEqual(WITHDRAWAL_WORDS)
  })

  test('generated files are fresh', () => {
    const read = (path: string): string => readFileSync(join(PROJECT_ROOT, path), 'utf8')
    expect(read('circuits/generated/params.circom')).toBe(circomConstants())
    expect(read('contracts/generated/Law.sol')).toBe(solidityConstants())
    expect(read('docs/encodings.md')).toBe(encodingsPage())
    const others = readdirSync(join(dir, 'shapes')).filter((file) => !/^(escape|sweep)/.test(file))
    expect(others.sort()).toEqual(SHAPES.map((shape) => `${shape.name}.circom`).sort())
    for (const shape of SHAPES)
      expect(read(`circuits/shapes/${shape.name}.circom`)).toBe(shapeCircuit(shape))
  })
})
