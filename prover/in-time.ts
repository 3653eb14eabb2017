/** Waiting that ends: a host that is gone closes no connection, and a question to it has no answer for a quarter of an hour. */

/**
 * Runs once what lies in the sockets was read. Timers come before sockets: where this thread was held up,
 * the answer that a time limit was about may be there already.
 */
export function behindSockets(act: () => void): void {
  setImmediate(act)
}

/** A thread that stands still, as where a long journal is replayed, counts as one of so many parts of the time. */
const PARTS = 8

/**
 * Rejects with `late` where the work has not ended in time; what becomes of it then nobody hears. Time
 * is what this thread could have heard in: timers come before sockets, and while it stood still the
 * question may not have left it, or the answer have come and not be read.
 */
export function inTime<T>(
  work: PromiseLike<T>,
  milliseconds: number,
  late: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isEnded = false
    let parts = PARTS
    const giveUp = (): void => {
      if (isEnded) return
      isEnded = true
      reject(late())
    }
    const part = (): void => {
      parts--
      if (parts === 0) behindSockets(giveUp)
      else timer = setTimeout(part, milliseconds / PARTS)
    }
    let timer = setTimeout(part, milliseconds / PARTS)
    const end = (): void => {
      isEnded = true
      clearTimeout(timer)
    }
    work.then(
      (value) => {
        end()
        resolve(value)
      },
      (error: unknown) => {
        end()
        reject(error as Error)
      },
    )
  })
}
