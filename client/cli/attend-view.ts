/** What the house tells an account, in a line each. */
import type { Told } from '../house-views.ts'

const wordsOf = (state: unknown, batch: unknown): string =>
  batch === null || batch === undefined ? String(state) : `${String(state)}, batch ${String(batch)}`

export function eventText({ kind, ...event }: Told['event']): string {
  const { id, clientId, page = clientId, state, batch, refused } = event
  switch (kind) {
    case 'trade':
      return (
        `trade ${String(id)} (${String(clientId)}): ` +
        (typeof refused === 'string' ? `refused by ${refused}` : wordsOf(state, batch))
      )
    case 'page':
      return `page ${String(page)}: ${wordsOf(state, batch)}`
    case 'leaf':
      return `the account on L1 has changed: batch ${String(batch)}`
    case 'resign':
      return 'the journal was cut: pages are to be signed anew'
    default:
      return `${kind} ${JSON.stringify(event)}`
  }
}
