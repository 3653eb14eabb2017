/** A field element as people compare it: 0x and 64 digits, so that two of them are equal as texts. */
export function hexWord(value: bigint): string {
  return `0x${value.toString(16).padStart(64, '0')}`
}
