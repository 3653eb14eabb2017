/** A long journal without its members' processes: the house takes each record itself, as a restart would. */
import { counterPage, headAfter, type Page } from '../../circuits/page.ts'
import { ownerKeyHash, genesisHead } from '../../circuits/account.ts'
import { sign, type SigningKey } from '../../circuits/eddsa.ts'
import type { Shape } from '../../circuits/params.ts'
import { memberKeys } from '../../client/keys.ts'
import { shapeNamed } from '../../prover/artifacts.ts'
import type { House } from '../../sequencer/house.ts'
import { DISK, type Disk } from '../../sequencer/journal/disk.ts'
import { FileJournal } from '../../sequencer/journal/file-journal.ts'
import type { Sealer } from '../../sequencer/journal/seal.ts'
import { Floor } from '../sequencer/floor.ts'

const LEGS = [
  { instrument: 1024, quantity: 1n, price: 50_000_000n },
  { instrument: 1025, quantity: -1n, price: 2_000_000n },
] as const
const PACKAGES_A_BATCH = 64

/** Nothing waits for the disk while the journal is made: it is only read afterwards. */
const UNSYNCED: Disk = {
  ...DISK,
  open: async (path) => ({ ...(await DISK.open(path)), sync: async () => {} }),
}
type Side = { readonly account: number; readonly key: SigningKey; head: bigint }

/** Members trade in pairs, two trades a package, until there are so many records. */
export async function makeJournal(
  directory: string,
  sealer: Sealer,
  records: number,
  members = 16,
): Promise<number> {
  const shape: Shape = { ...shapeNamed('large'), deposits: members, requests: members }
  const journal = await FileJournal.open({ directory, sealer, disk: UNSYNCED })
  const dollars = Array.from({ length: members }, () => 10_000_000)
  const { floor, members: joined } = await Floor.open(dollars, null, journal, {}, [shape])
  const sides = joined.map(({ account }, i): Side => {
    const key = memberKeys(new Uint8Array(32).fill(i + 1), `M${i}`).signing
    const known = floor.house.ledger.accounts.get(account)?.head
    return {
      account,
      key,
      head: known ?? genesisHead(floor.house.domain, account, ownerKeyHash(key.publicKey)),
    }
  })
  for (let n = 0; journal.head.sequence < records; n++) {
    const pair = 2 * (n % (members / 2))
    const turn = Math.floor(n / (members / 2)) % 2
    await trade(floor.house, sides[pair + turn] as Side, sides[pair + 1 - turn] as Side, `p${n}`)
    if (n % PACKAGES_A_BATCH === PACKAGES_A_BATCH - 1) {
      await floor.batch()
      floor.l1.submitted.length = 0
    }
  }
  await floor.batch()
  await floor.close()
  return journal.head.sequence
}

async function trade(house: House, buyer: Side, seller: Side, clientId: string): Promise<void> {
  const asked = { clientId, counterparty: seller.account, entries: LEGS, payload: 7n }
  const ticket = await house.propose(buyer.account, asked)
  if ('refused' in ticket) throw new Error(ticket.detail)
  await house.affirm(seller.account, ticket.id)
  const page: Page = {
    kind: 'trade',
    account: buyer.account,
    counterparty: seller.account,
    stamp: ticket.stamp,
    maxFee: house.core.fee,
    payload: 7n,
    entries: LEGS,
  }
  for (const [own, side] of [
    [page, buyer],
    [counterPage(page, house.core.fee), seller],
  ] as const) {
    const previousHead = side.head
    side.head = headAfter(previousHead, own)
    const signature = sign(side.key, side.head)
    const said = await house.submit({
      kind: 'page',
      ticket: ticket.id,
      clientId: `page-${ticket.id}`,
      signed: { page: own, previousHead, signature },
      verified: { head: side.head, owner: side.key.publicKey },
    })
    if ('refused' in said) throw new Error(said.detail)
  }
}
