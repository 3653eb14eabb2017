/** View keys that the state has forgotten and the journal has not. */
import { viewKeyHash } from '../../circuits/account.ts'
import type { Journal } from './journal.ts'
import { decodeRecord, type InputOf } from './record.ts'

/** As `encodeRecord` writes the kind: other records are not parsed. */
const MARK = Buffer.from('"kind":"tviewKey"')
/** Records between which members are served. */
const AT_ONCE = 256

/** The keys of these hashes, as far as they were ever shown. */
export async function viewKeysIn(
  journal: Pick<Journal, 'entries'>,
  hashes: readonly bigint[],
): Promise<readonly bigint[]> {
  const wanted = new Set(hashes)
  const found: bigint[] = []
  for await (const { sequence, payload } of journal.entries()) {
    if (wanted.size === 0) break
    if (sequence % AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve))
    if (!Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).includes(MARK))
      continue
    const { input } = decodeRecord(payload)
    if (input.kind === 'viewKey' && wanted.delete(viewKeyHash(input.viewKey)))
      found.push(input.viewKey)
  }
  return found
}

type House = {
  readonly core: { readonly missingViewKeys: readonly bigint[] }
  readonly journal: Pick<Journal, 'entries'>
  readonly options: { readonly log: (line: string) => void }
  readonly submit: (input: InputOf<'viewKey'>) => Promise<unknown>
}

/**
 * A countersignature is good for ever, and its view key may be forgotten before it is used: then the
 * journal still has it, and without it the registration would stop the queue of L1.
 */
export class LostViewKeys {
  /** Hashes of those that not even the journal has. */
  private readonly hopeless = new Set<bigint>()

  async find(house: House): Promise<void> {
    const wanted = house.core.missingViewKeys.filter((hash) => !this.hopeless.has(hash))
    if (wanted.length === 0) return
    for (const viewKey of await viewKeysIn(house.journal, wanted))
      await house.submit({ kind: 'viewKey', viewKey })
    for (const hash of house.core.missingViewKeys) {
      if (this.hopeless.has(hash)) continue
      // Nobody ever showed it here: the member must, and is heard when it does.
      house.options.log('a registration waits for its view key')
      this.hopeless.add(hash)
    }
  }
}
