/** The embedded L1 as a process; {"log":"FILE","port":N} comes in CLOISTER_L1. It ends with its parent. */
import { openEmbeddedL1, serveL1 } from './embedded-l1.ts'

const tell = (message: object, then = (): void => {}): void => {
  process.send?.(JSON.stringify(message), then)
}

// From the first line on: a parent that ends while the chain is made again leaves nobody behind.
process.on('disconnect', () => process.exit(0))
if (process.connected === false) process.exit(0)

try {
  const { log, port } = JSON.parse(process.env['CLOISTER_L1'] ?? '') as {
    readonly log: string
    readonly port: number
  }
  const l1 = await openEmbeddedL1(log)
  const { port: listening } = await serveL1(l1.provider, port)
  process.on('message', ({ command }: { command: string }) => {
    if (command !== 'stop') return
    l1.close()
    process.exit(0)
  })
  const { blocks, steps, tornBytes } = l1
  tell({ ready: true, url: `http://127.0.0.1:${listening}`, blocks, steps, tornBytes })
} catch (error) {
  const failed = error instanceof Error ? error.message : String(error)
  tell({ failed }, () => process.exit(1))
}
