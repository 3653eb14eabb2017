/**
 * Tells L1 how far what has settled is converted. The register goes on by whole windows: an account may
 * hold unconverted balances of as many as a batch opens, and L1 lets nobody open one more before the
 * operator has said that the oldest is done with (contracts/Tables.sol).
 */
import { TREE_ARITY, WINDOW_DEPTH } from '../circuits/params.ts'
import type { Account } from '../circuits/account.ts'
import type { Settlements } from '../circuits/table.ts'

export const WINDOW_SIZE = TREE_ARITY ** WINDOW_DEPTH

type Holder = Pick<Account, 'balances'>
type Accounts = ReadonlyMap<number, Holder>
type Entries = Pick<Settlements, 'rows'>
type InFlight = { readonly trace: { readonly members: readonly { readonly after: Holder }[] } }

/**
 * Whoever holds something by what L1 has now, or will by a batch on its way, which may have been chosen
 * before the last settlement. Of a busy house one always is: to wait until none is would be for ever.
 */
export function holdersOf({
  ledger,
  open,
  next,
}: {
  readonly ledger: { readonly accounts: Accounts }
  readonly open: InFlight | null
  readonly next: InFlight | null
}): readonly Holder[] {
  const inFlight = [open, next].flatMap((batch) => batch?.trace.members ?? [])
  return [...ledger.accounts.values(), ...inFlight.map(({ after }) => after)]
}

/** Where in the register stands what somebody holds; some places more than once. */
function* heldPlaces(holders: Iterable<Holder>, { rows }: Entries): Iterable<number> {
  const places = new Map(rows.map(({ id }, place) => [id, place]))
  for (const { balances } of holders)
    for (const { id } of balances) {
      const place = places.get(id)
      if (place !== undefined) yield place
    }
}

/** How many of the first entries of the register nobody holds any more. */
export function convertedCount(holders: Iterable<Holder>, register: Entries): number {
  let first = register.rows.length
  for (const place of heldPlaces(holders, register)) first = Math.min(first, place)
  return first
}

/** Windows of the register of which somebody holds something; a batch opens WINDOW_COUNT. */
export function unconvertedWindows(accounts: Accounts, register: Entries): number {
  const windows = new Set<number>()
  for (const place of heldPlaces(accounts.values(), register))
    windows.add(Math.floor(place / WINDOW_SIZE))
  return windows.size
}

export type ConvertingOptions = {
  /** `holders`, as holdersOf has them, are asked for only where the register has a window more. */
  readonly state: () => {
    readonly holders: () => readonly Holder[]
    readonly settlements: Entries
  }
  /** How many entries L1 was told are converted. */
  readonly confirmed: () => Promise<number>
  readonly confirm: (count: number) => Promise<unknown>
  readonly log: (line: string) => void
}

export class Converting {
  private readonly options: ConvertingOptions
  /** Windows that L1 is known to have as converted; it is asked again only when there are more. */
  private known = 0
  private isLooking = false
  private isFailing = false

  constructor(options: ConvertingOptions) {
    this.options = options
  }

  /** One look; never throws. What fails is said once, and tried again at the next. */
  async look(): Promise<void> {
    if (this.isLooking) return
    this.isLooking = true
    try {
      await this.confirmWindows()
      this.isFailing = false
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (!this.isFailing) this.options.log(`L1 was not told what is converted: ${why}`)
      this.isFailing = true
    } finally {
      this.isLooking = false
    }
  }

  private async confirmWindows(): Promise<void> {
    const { state, confirmed, confirm } = this.options
    const now = state()
    if (now.settlements.rows.length < (this.known + 1) * WINDOW_SIZE) return
    const count = convertedCount(now.holders(), now.settlements)
    const windows = Math.floor(count / WINDOW_SIZE)
    if (windows <= this.known) return
    if (Math.floor((await confirmed()) / WINDOW_SIZE) < windows) await confirm(count)
    this.known = windows
  }
}
