/** Waiting that ends: a host that is gone closes no connection, and a question to it has no answer for a quarter of an hour. */

/** Rejects with `late` where the work has not ended in time; what becomes of it then nobody hears. */
export function inTime<T>(
  work: PromiseLike<T>,
  milliseconds: number,
  late: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), milliseconds)
    work.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error as Error)
      },
    )
  })
}
