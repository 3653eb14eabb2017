/** What both readers say of a chain, as bytes in one order. */
import { challengeOf, parseBatchWords } from '../../client/l1/batch-words.ts'
import type { Rebuilt } from '../../client/l1/ledger.ts'
import { withdrawalsRoot } from '../../client/l1/withdrawals.ts'
import { payoutsOf } from '../../client/l1/replay-batch.ts'
import { bytesOf, type Read, type Reader, type Row } from './reader.ts'

type Place = { readonly chainId: bigint; readonly contract: string }
type Bytes = readonly Uint8Array[]

export function bytesOfRebuilt(rebuilt: Rebuilt, { chainId, contract }: Place): Uint8Array {
  const parts: Uint8Array[] = []
  const put = (...words: readonly bigint[]): void => void parts.push(bytesOf(words))
  for (const { event, shape } of rebuilt.batches) {
    const { keyHash } = shape
    const { header, deposits, requests, withdrawals, accounts } = parseBatchWords(
      shape.sizes,
      event.words,
    )
    put(event.number, ...Object.values(header))
    for (const d of deposits) put(d.id, d.commitment, BigInt(d.token), d.amount)
    for (const r of requests) {
      const first = BigInt(r.kind) + 8n * r.serial
      put(first, BigInt(r.account), r.x, r.y, r.viewKeyHash, r.data3)
    }
    for (const w of withdrawals) put(BigInt(w.token), w.amount, BigInt(w.to))
    for (const a of accounts) if (a.leaf !== 0n) put(BigInt(a.index), a.leaf, ...a.cipher)
    const statement = { chainId, contract, keyHash, commitment: event.commitment }
    const { x, y } = challengeOf(statement, event.words)
    const paid = payoutsOf(withdrawals, requests).map((p) => ({ ...p, batch: event.number }))
    put(event.newRoot, x, y, BigInt(withdrawalsRoot(contract, paid)))
  }
  put(rebuilt.root)
  for (let i = 0; i < Number(rebuilt.accountCount); i++) {
    const leaf = rebuilt.tree.leaf(i)
    if (leaf !== 0n) put(BigInt(i), leaf)
  }
  return joined(parts)
}

export function bytesOfRead(read: Read, reader: Reader): Uint8Array {
  const parts: Uint8Array[] = []
  const put = (...words: readonly bigint[]): void => void parts.push(bytesOf(words))
  const putRows = (rows: readonly Row[]): void => rows.forEach((row) => put(...Object.values(row)))
  for (const batch of read.batches) {
    put(batch.number, ...Object.values(batch.header))
    putRows(batch.deposits)
    putRows(batch.requests)
    putRows(batch.withdrawals)
    putRows(batch.accounts)
    put(batch.root, batch.challenge, batch.y, BigInt(batch.withdrawalsRoot))
  }
  put(reader.rootOf(read.leaves))
  for (const [index, leaf] of [...read.leaves].sort(([a], [b]) => a - b)) put(BigInt(index), leaf)
  return joined(parts)
}

function joined(parts: Bytes): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part))))
}
