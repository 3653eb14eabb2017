/** Books in the format of the published margin vectors, by the rule that each one names. */

import { bookFrom, scenarioProfit, scenariosInOrder, type Book } from './pmrm.ts'
import {
  fieldsAt,
  listAt,
  MalformedBooks,
  numberAt,
  parseJson,
  UnpublishedInput,
  type Fields,
} from './reading.ts'
import { inverseProfits, spanProfits } from './span.ts'

export type BookScenarios =
  | { readonly id: string; readonly scenarios: readonly number[] }
  | { readonly id: string; readonly scenarios: null; readonly reason: string }

export type Entry = { readonly id: string; readonly rule: string; readonly fields: Fields }

/** Crashes with MalformedBooks if the text is no list of books with ids of their own. */
export function entriesFrom(text: string): readonly Entry[] {
  const entries = listAt(parseJson(text), 'the file').map((item, i) => {
    const fields = fieldsOrMalformed(item, `book ${i}`)
    const { id: given, rule = PMRM } = fields
    const id = Number.isSafeInteger(given) ? String(given) : given
    if (typeof id !== 'string' || id === '' || id.length > 200)
      throw new MalformedBooks(`book ${i} must have an id`)
    if (typeof rule !== 'string') throw new MalformedBooks(`book ${id}: rule must be a text`)
    return { id, rule, fields }
  })
  const seen = new Set<string>()
  for (const { id } of entries) {
    if (seen.has(id))
      throw new MalformedBooks(`every book must have an id of its own: ${id} stands twice`)
    seen.add(id)
  }
  return entries
}

function fieldsOrMalformed(value: unknown, where: string): Fields {
  if (value === null || typeof value !== 'object')
    throw new MalformedBooks(`${where} must be an object`)
  return fieldsAt(value, where)
}

const PMRM = 'Derive PMRM_2'

/** The profit in every scenario, in the order of `reg`, then `tail`. */
export function scenariosOf(text: string): readonly BookScenarios[] {
  return entriesFrom(text).map((entry) =>
    listed<BookScenarios>(
      entry,
      () => ({ id: entry.id, scenarios: profitsOf(entry) }),
      (reason) => ({
        id: entry.id,
        scenarios: null,
        reason,
      }),
    ),
  )
}

/** A book that lacks an input is listed with the reason; one that is wrong stops the file. */
export function listed<T>(entry: Entry, compute: () => T, lacking: (reason: string) => T): T {
  try {
    return compute()
  } catch (error) {
    if (error instanceof UnpublishedInput) return lacking(error.message)
    if (error instanceof Error) throw new MalformedBooks(`book ${entry.id}: ${error.message}`)
    throw error
  }
}

export function pmrmBook({ id, rule, fields }: Entry): Book {
  if (rule !== PMRM) throw new UnpublishedInput(`the rule ${rule} has no book of options`)
  return bookFrom(id, fieldsAt(fields['inputs'], 'inputs'))
}

function profitsOf(entry: Entry): readonly number[] {
  const { rule, fields } = entry
  if (rule.startsWith('max loss over 16')) return spanFrom(fieldsAt(fields['inputs'], 'inputs'))
  if (rule === 'ERM') return inverseFrom(fieldsAt(fields['inputs'], 'inputs'))
  const book = pmrmBook(entry)
  return scenariosInOrder(book, fields['expected']).map((scenario) => {
    const profit = scenarioProfit(book, scenario)
    if (!Number.isFinite(profit)) throw new MalformedBooks('a scenario must have a finite value')
    // -0 would be printed as 0 and compared as something else.
    return profit + 0
  })
}

function spanFrom(inputs: Fields): readonly number[] {
  const quantities = Object.entries(fieldsAt(inputs['qty'], 'inputs.qty'))
  return spanProfits(
    quantities.map(([name, quantity]) => ({
      quantity: numberAt(quantity, `the quantity of ${name}`),
      profits: listAt(inputs[`pnl_long_${name}`], `inputs.pnl_long_${name}`).map((value) =>
        numberAt(value, `a profit of ${name}`),
      ),
    })),
  )
}

function inverseFrom(inputs: Fields): readonly number[] {
  return inverseProfits({
    range: numberAt(inputs['price_range'], 'inputs.price_range'),
    buckets: numberAt(inputs['buckets'], 'inputs.buckets'),
    quantities: Object.entries(fieldsAt(inputs['pos'], 'inputs.pos')).map(([name, quantity]) =>
      numberAt(quantity, `the quantity of ${name}`),
    ),
  })
}
