/** Waiting for what a test cannot be told of: as long as a crowded machine may need, and no longer. */

const LIMIT_MILLISECONDS = 300_000

/** Asks every few milliseconds. Throws, naming what is missing, when it has not come after five minutes. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  missing: string | (() => string) = 'it never came about',
): Promise<void> {
  const end = performance.now() + LIMIT_MILLISECONDS
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(typeof missing === 'string' ? missing : missing())
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
