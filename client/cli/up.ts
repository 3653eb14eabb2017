/** `cloister up`: keeps a whole house running until it is told to stop. */
import { up, type Up } from '../up/up.ts'
import { houseFolder, type Common, type Result } from './day.ts'
import { fileTrouble, Undone } from './failures.ts'
import { fromHere } from './root.ts'

export type UpCommand = Common & {
  readonly port: string
  readonly cadence: string
  readonly tables: string
  readonly shape: string
  /** Told once, when the house is open: the text for people, the object in one line of JSON. */
  readonly tell: (text: string, json: Readonly<Record<string, unknown>>) => void
}
const SHAPES = ['mini', 'small', 'standard', 'sparse', 'large']
const LAST_PORT = 65_533

/** `start` is another one in a test only: a house takes a minute. */
export async function keepUp(options: UpCommand, start: typeof up = up): Promise<Result> {
  const { port, cadence, tables, shape } = options
  const folder = houseFolder(options)
  if (folder === undefined) throw new Undone('name the directory of the house: --data DIR')
  if (!SHAPES.includes(shape)) throw new Undone(`--shape must be one of ${SHAPES.join(', ')}`)
  const started = Date.now()
  const note = (line: string): void => {
    const seconds = ((Date.now() - started) / 1000).toFixed(1)
    options.note(`${seconds.padStart(6)} s  ${line}`)
  }
  // A signal while it starts must not leave processes behind: they end with this one.
  const early = (): void => process.exit(130)
  process.once('SIGINT', early).once('SIGTERM', early)
  const house = await start({
    data: fromHere(folder),
    port: whole(port, '--port', 1, LAST_PORT),
    cadence: whole(cadence, '--cadence', 1, 86_400),
    tables: whole(tables, '--tables', 1, 86_400),
    shapes: shape === 'mini' ? ['mini'] : [shape, 'entry'],
    exits: ['escape', 'escape-settled', 'sweep-small'],
    note,
  }).catch((error: unknown) => {
    throw new Undone(fileTrouble(error) ?? (error instanceof Error ? error.message : String(error)))
  })
  process.removeListener('SIGINT', early).removeListener('SIGTERM', early)
  // People read it among the notes; a program waits for its line, and for no words.
  if (options.json) options.tell('', readyJson(house, fromHere(folder)))
  else note(welcome(house))
  return stopped(house, note)
}

function readyJson(house: Up, data: string): Readonly<Record<string, unknown>> {
  const { url, rpcUrl, operatorUrl, contract, isNew, batch } = house
  return {
    ok: true,
    ready: true,
    url,
    rpc: rpcUrl,
    operator: operatorUrl,
    contract,
    data,
    new: isNew,
    batch: `${batch}`,
    pid: process.pid,
  }
}

function welcome({ url, rpcUrl, operatorUrl, isNew, batch }: Up): string {
  return [
    isNew ? 'the house is open' : `the house is open again, after batch ${batch}`,
    `          members ${url}   L1 ${rpcUrl}   operator ${operatorUrl}/metrics, /ready`,
    '          in a second terminal: npx cloister account new ALICE   (stop the house with Ctrl-C)',
  ].join('\n')
}

/** Until a signal, or until one of its processes ends; a second signal waits for nothing. */
async function stopped(house: Up, note: (line: string) => void): Promise<Result> {
  let count = 0
  const asked = new Promise<null>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        if (++count === 1) return resolve(null)
        void house.kill()
        process.exit(130)
      })
  })
  const broken = await Promise.race([asked, house.broken])
  if (broken !== null) {
    await house.kill()
    throw new Undone(`${broken}. Nothing is lost: start it again`)
  }
  note('stopping: no new pages; the batch in flight is finished (Ctrl-C again: at once)')
  await house.stop()
  return { text: 'stopped; the same command goes on from here', json: { stopped: true } }
}

function whole(text: string, name: string, from: number, to: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : -1
  if (value < from || value > to) throw new Undone(`${name} must be a number from ${from} to ${to}`)
  return value
}
