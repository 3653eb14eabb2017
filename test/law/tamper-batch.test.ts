/** Attacks on words, tree, table and identities: for each, the rule whose constraint refuses the witness. */
import { describe, expect, test } from 'vitest'
import { settledRow } from '../../circuits/table.ts'
import { a0, changed, set, type Fair } from './attacks/attack.ts'
import { balances, sunkDraft } from './attacks/balances.ts'
import { rows, swapRows } from './attacks/rows.ts'
import { bound, header, signedCover, words } from './attacks/words.ts'
import { forgedDraft } from './forge.ts'
import { randomField } from './house.ts'
import { acceptEach, refusedAs, refuseEach, useMini } from './judge.ts'
import { reseal, resum } from './reseal.ts'
import { coverDraft, expired, funded, MINI, rotationDraft, traded } from './scenes.ts'

useMini()

describe('attacks on words, tree, table and identities', () => {
  refuseEach([...header, ...rows, ...balances, ...words])

  test.each(bound)('%s: changed after C: %s', (rule, _name, make) => {
    expect(refusedAs(make())).toEqual([rule])
  })
})

const fair: Fair = {
  'a fee of 2^40 - 1': () => {
    const { house, a, b } = funded()
    house.fee = (1n << 40n) - 1n
    return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }))
  },
  'a signature where none is needed': () => reseal(signedCover()),
  'settled balances': () => coverDraft(expired()),
  'sums per row as the test derives them': () => resum(coverDraft(traded())),
  'sums per row of converted and rescued balances': () => resum(coverDraft(expired())),
  'an account below zero that gets no worse': () => resum(sunkDraft()),
  'the same in the other rescue slot': () =>
    changed(sunkDraft(), (d) => {
      d.rescueChoice.reverse()
      d.isWorse.reverse()
      d.oldWorth.reverse()
    }),
  'an account called rescued that is not below zero': () =>
    resum(
      changed(coverDraft(traded()), (d) => {
        set(d.rescueChoice[0], a0(d), 1n)
        d.oldWorth[0] = [...(d.difference[a0(d)] as bigint[])]
      }),
    ),
  'an unused row before a used one of the same node': () =>
    resum(changed(coverDraft(), (d) => swapRows(d, 0, 1))),
  'a rotation': () => rotationDraft(),
  'cover while all may only reduce': () =>
    changed(coverDraft(traded()), (d) => set(d.header, 3, 1n)),
  'a settled value beside a row of the table': () => {
    const scene = traded()
    scene.house.settled = [settledRow(1024, 60_000_000n)]
    return coverDraft(scene)
  },
  'another commitment salt': () =>
    changed(coverDraft(), (d) => {
      d.commitmentSalt = randomField()
    }),
}

describe('what is fair, to the edge, is accepted', () => {
  acceptEach(fair)
})
