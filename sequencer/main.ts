/**
 * The sequencer as a process: `node --import tsx sequencer/main.ts --config FILE`. A parent process,
 * if there is one, asks for batches over IPC: {"command":"batch"}. Settings: sequencer/config.ts.
 */
import { readR1csInfo } from '../prover/groth16.ts'
import { ConfigurationError, readConfiguration } from './config-reading.ts'
import { configurationHelp } from './config-help.ts'
import { keepHeapTight } from './heap.ts'
import { logOf, reasonOf, type Fields, type Log } from './log.ts'
import { startService, type Parts } from './service.ts'
import { stringify } from './wire.ts'

export type Command = { readonly id: number; readonly command: 'batch' | 'sweep' | 'stop' }

/** The process must be started again by whoever keeps it: what is in memory may be used no more. */
const EXIT_FATAL = 70
const EXIT_CONFIGURATION = 78
const EXIT_FORCED = 130

const say = (message: unknown): void => {
  process.send?.(stringify(message))
}

export async function main(parts?: Parts): Promise<void> {
  // A parent that ended while this was loaded says so no more.
  if (process.connected === false) process.exit(0)
  if (process.argv.slice(2).includes('--help')) {
    process.stdout.write(`${configurationHelp()}\n`)
    return process.disconnect?.()
  }
  keepHeapTight()
  const given = read()
  if (given === null) return
  const { configuration, secrets } = given
  const log = logOf({ level: configuration.logLevel, format: configuration.logFormat })
  const fatal = (error: unknown): never => {
    log.error('the house stops', { why: reasonOf(error) })
    process.exit(EXIT_FATAL)
  }
  process.on('unhandledRejection', fatal)
  process.on('uncaughtException', fatal)
  const standing = new AbortController()
  let stop = async (): Promise<void> => standing.abort(new Error('it was asked to stop'))
  let isStopping = false
  const end = (why: string): void => {
    if (isStopping) process.exit(EXIT_FORCED)
    isStopping = true
    log.info('stopping: no new pages are taken', { why })
    stop().then(
      () => process.exit(0),
      (error: unknown) => fatal(error),
    )
  }
  process.on('SIGTERM', () => end('SIGTERM'))
  process.on('SIGINT', () => end('SIGINT'))
  process.on('disconnect', () => process.exit(0))
  // Circuits take minutes the first time: who waits at a terminal is told what for.
  const telling = tellingParent(log)
  const service = await startService({
    configuration,
    secrets,
    log: telling.log,
    onFatal: fatal,
    signal: standing.signal,
    ...(parts === undefined ? {} : { parts }),
  }).catch(fatal)
  const { house, batches, url, operatorUrl } = service
  stop = service.stop
  telling.end()
  const { contract, oracle, token } = house.options.deployment
  log.info('the house is open', { url, operatorUrl, contract, batch: Number(house.batchNumber) })
  say({
    ready: true,
    url,
    operatorUrl,
    contract,
    oracle,
    token,
    shapes: house.options.keys.map((k) => ({
      name: k.shape.name,
      constraints: parts === undefined ? readR1csInfo(k.r1csPath).nConstraints : 0,
    })),
  })
  process.on('message', ({ id, command }: Command) => {
    if (command === 'stop') return end('its parent asked')
    if (command === 'sweep') return say({ id, sweeping: service.sweep() })
    batches.next().then(
      (report) => say({ id, report, refused: house.desk.refusedCount }),
      (error: unknown) => say({ id, error: reasonOf(error) }),
    )
  })
}

/** The same log, and until `end` the events of a start for the process that waits for it. */
function tellingParent(log: Log): { readonly log: Log; readonly end: () => void } {
  let isStarting = true
  const also =
    (level: 'info' | 'warn') =>
    (event: string, fields?: Fields): void => {
      log[level](event, fields)
      if (isStarting) say({ note: event })
    }
  const end = (): void => {
    isStarting = false
  }
  return { log: { ...log, info: also('info'), warn: also('warn') }, end }
}

function read(): ReturnType<typeof readConfiguration> | null {
  try {
    return readConfiguration(process.argv.slice(2), process.env)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = EXIT_CONFIGURATION
    process.disconnect?.()
    return null
  }
}

if (import.meta.filename === process.argv[1]) await main()
