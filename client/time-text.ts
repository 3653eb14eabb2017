/** Seconds since 1970 as people read them: 2020-03-12T08:00:00Z. */
export function timeText(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z')
}
