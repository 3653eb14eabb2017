/** Appends steps to a log of the embedded L1; says of the first that finds no room what it found, and goes on. */
import { ChainLog } from '../../client/up/chain-log.ts'

// Otherwise the kernel ends the process, where a full disk would answer.
process.on('SIGXFSZ', () => {})
const [path = '', steps] = process.argv.slice(2)
const log = ChainLog.open(path, new Date('2026-03-12T04:00:00.000Z'))
let said = ''
for (let i = 0; i < Number(steps); i++)
  try {
    log.append({ time: i, method: 'evm_mine', params: ['x'.repeat(100)] })
  } catch (error) {
    said ||= String((error as NodeJS.ErrnoException).code)
  }
log.close()
process.stdout.write(said)
