/**
 * The oracle of the day as a process. Configuration comes as JSON in CLOISTER_ORACLE, keys by
 * environment; its parent asks over IPC: {"command":"table","step":0} and {"command":"settle"}.
 */
import { DayOracle } from './day-oracle.ts'

type Configuration = {
  readonly rpcUrl: string
  readonly oracle: string
  readonly tables: string
}
type Command =
  | { readonly id: number; readonly command: 'table'; readonly step: number }
  | { readonly id: number; readonly command: 'settle' | 'stop' }

function secret(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  delete process.env[name]
  return value
}

// A parent that ends while the contract is configured ends this one, too.
process.on('disconnect', () => process.exit(0))
if (process.connected === false) process.exit(0)
const oracle = await DayOracle.open({
  ...(JSON.parse(secret('CLOISTER_ORACLE')) as Configuration),
  adminKey: secret('ADMIN_KEY'),
  payerKey: secret('COLLECTOR_KEY'),
  note: (line) => process.send?.(JSON.stringify({ note: line })),
})

async function run(command: Command): Promise<unknown> {
  switch (command.command) {
    case 'table':
      return oracle.table(command.step)
    case 'settle':
      return oracle.settle()
    case 'stop':
      await oracle.close()
      return null
  }
}

let turn: Promise<unknown> = Promise.resolve()
process.on('message', (command: Command) => {
  turn = turn.then(async () => {
    const answer = await run(command).then(
      (result) => ({ id: command.id, result }),
      (error: unknown) => ({
        id: command.id,
        error: error instanceof Error ? error.message : String(error),
      }),
    )
    process.send?.(JSON.stringify(answer))
    if (command.command === 'stop') process.exit(0)
  })
})
process.send?.(JSON.stringify({ ready: true }))
