/**
 * Text as a terminal may have it. Words of others stand in it: the purpose of a grant, a refusal of a
 * house or a node. None of them may move the cursor, clear what stands above, or run from right to left.
 */
const OBEYED = /[^\P{Cc}\n\t]|[\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/** What a terminal would obey is shown as U+FFFD; lines and tabs stay. */
export function plain(text: string): string {
  return text.replace(OBEYED, '\ufffd')
}
