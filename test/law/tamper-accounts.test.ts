/** Attacks on accounts, keys and the edges to L1: for each, the rule whose constraint refuses the witness. */
import { describe } from 'vitest'
import { BASE, type Point } from '../../circuits/eddsa.ts'
import { mod } from '../../circuits/field.ts'
import { QUANTITY_OFFSET } from '../../circuits/params.ts'
import { accounts } from './attacks/accounts.ts'
import type { Fair } from './attacks/attack.ts'
import { depositDraft, edges, l1Rotation, posted } from './attacks/edges.ts'
import { forgedDraft } from './forge.ts'
import { acceptEach, refuseEach, useMini } from './judge.ts'
import { coverDraft, expired, funded, MINI, registrationDraft } from './scenes.ts'

useMini()

describe('attacks on accounts, keys and edges', () => {
  refuseEach([...accounts, ...edges])
})

const fair: Fair = {
  'a registration with deposits': registrationDraft,
  cover: coverDraft,
  'an L1 rotation': l1Rotation,
  'a deposit of nothing': () => depositDraft(1, 0n),
  'a deposit of 2^55 - 1': () => depositDraft(1, QUANTITY_OFFSET - 1n),
  'settled balances': () => coverDraft(expired()),
  'a deposit of token 1023': () => {
    const { house, b } = funded()
    house.rows = [
      house.rows[0] as never,
      { ...(house.rows[0] as never as object), id: 1023 } as never,
      ...house.rows.slice(1),
    ]
    return forgedDraft(MINI, house, house.plan({ credits: [house.credit(b, 1023, 7n)] }))
  },
  'a key whose posted point has a torsion part: eight times it is installed': () => {
    const torsion: Point = { x: mod(-BASE.x), y: mod(-BASE.y) }
    return posted(torsion)
  },
}

describe('what is fair, to the edge, is accepted', () => {
  acceptEach(fair)
})
