/** A synthetic L1 whose members have the keys of a seed, as the command line makes them. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { depositCommitment, rotationPayload, viewKeyHash } from '../../circuits/account.ts'
import type { Credit } from '../../circuits/batch.ts'
import { eighthOf } from '../../circuits/eddsa.ts'
import { memberKeys } from '../../client/keys.ts'
import { MAX_FEE, type Member } from '../law/house.ts'
import { SyntheticL1, type Home } from './synthetic.ts'

export const HOME: Home = { chainId: 4242n, contract: `0x${'C1'.repeat(20)}` }
export const OWNER = `0x${'11'.repeat(20)}`

export function seedBytes(n: number): Uint8Array {
  return new Uint8Array(32).fill(n)
}

/** Registers with the keys of `label`; `viewLabel` gives another account's view key on purpose. */
export function joinSeeded(
  l1: SyntheticL1,
  seed: Uint8Array,
  label: string,
  viewKey = memberKeys(seed, label).viewKey,
): Member {
  const keys = memberKeys(seed, label)
  const { member, request } = l1.house.join()
  member.key = keys.signing
  member.viewKey = viewKey
  l1.house.viewKeys.set(member.index, viewKey)
  l1.emit({ kind: 'registered', account: member.index, l1Owner: OWNER })
  l1.request({
    ...request,
    key: eighthOf(keys.signing),
    viewKeyHash: viewKeyHash(viewKey),
  })
  return member
}

export function depositSeeded(
  l1: SyntheticL1,
  member: Member,
  seed: Uint8Array,
  label: string,
  counter: number,
  amount: bigint,
): Credit {
  const secret = memberKeys(seed, label).depositSecret(counter)
  const credit: Credit = {
    id: ++l1.house.depositId,
    commitment: depositCommitment(member.index, secret),
    token: 1,
    amount,
    account: member.index,
    secret,
  }
  const { id, commitment } = credit
  l1.emit({ kind: 'deposit', id, depositor: OWNER, token: 1, amount, commitment })
  return credit
}

/** A rotation page to the keys of a later rotation; the batch that takes it installs them. */
export function rotateSeeded(
  l1: SyntheticL1,
  member: Member,
  seed: Uint8Array,
  label: string,
  rotation: number,
): void {
  const next = memberKeys(seed, label, rotation)
  member.rotation = { key: next.signing, viewKey: next.viewKey }
  member.pending.push({
    kind: 'rotation',
    account: member.index,
    counterparty: 0,
    stamp: l1.house.stamp(),
    maxFee: MAX_FEE,
    payload: rotationPayload(next.ownerKeyHash, next.viewKeyHash),
    entries: [],
  })
}

/** A rotation asked for on L1: the owner key of rotation `n`, the view key stays. */
export function rotateOnL1(
  l1: SyntheticL1,
  member: Member,
  seed: Uint8Array,
  label: string,
  n: number,
): void {
  const next = memberKeys(seed, label, n)
  l1.request({
    kind: 'rotate',
    serial: l1.house.serial++,
    account: member.index,
    key: eighthOf(next.signing),
    viewKeyHash: 0n,
  })
  member.key = next.signing
}

/** A folder that looks like nothing but a seed file, 0600. */
export function seedFolder(seed: Uint8Array, label: string): { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), `cloister-${label}-`))
  const path = join(folder, 'seed')
  writeFileSync(path, `${Buffer.from(seed).toString('hex')}\n`, { mode: 0o600 })
  return { folder, path }
}
