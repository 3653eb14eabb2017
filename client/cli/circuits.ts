/** `cloister circuits`: what the circuits of this checkout are, held against what is committed. */
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'
import * as help from './help-ceremony.ts'

type Options = { readonly keys: boolean; readonly fresh: boolean }

export function addCircuits(
  program: Command,
  commonOf: (command: Command) => Common,
  run: (work: Promise<Result>) => Promise<void>,
): void {
  program
    .command('circuits [circuit...]')
    .description('compile the circuits; compare their hashes with the committed ones')
    .option('--keys', 'also the development key and its verifier contract', false)
    .option('--fresh', 'compile although the cache has them', false)
    .addHelpText('after', help.CIRCUITS)
    .action((shapes: string[], options: Options, command: Command) =>
      run(circuits(shapes, options, commonOf(command))),
    )
}

async function circuits(
  names: readonly string[],
  { keys, fresh }: Options,
  { note }: Common,
): Promise<Result> {
  const prints = await import('../../prover/fingerprints.ts')
  const committed = prints.committedFingerprints()
  const circuits = names.length === 0 ? prints.CIRCUIT_NAMES : names
  const text: string[] = []
  const json: Record<string, unknown> = {}
  let isSame = true
  for (const name of circuits) {
    const found = await prints.fingerprintOf(name, {
      withKey: keys,
      isFresh: fresh,
      progress: note,
    })
    const differences = prints.differencesFrom(committed.shapes[name], found)
    isSame &&= differences.length === 0
    json[name] = { ...found, differences }
    text.push(
      `${name}  ${found.constraints} constraints`,
      `  r1cs      ${found.r1csSha256}`,
      ...(found.developmentKey === undefined
        ? []
        : [
            `  key       ${found.developmentKey.keyHash} (DEVELOPMENT: anybody can forge proofs)`,
            `  verifier  ${found.developmentKey.verifierSha256}`,
          ]),
      differences.length === 0 ? '  as committed' : `  DIFFERS: ${differences.join('; ')}`,
    )
  }
  const tools = prints.toolVersions()
  const others = Object.entries(tools).filter(
    ([name, version]) => committed.tools[name] !== version,
  )
  for (const [name, version] of others)
    text.push(`${name} is ${version}; the committed hashes are of ${committed.tools[name]}`)
  return {
    text: text.join('\n'),
    json: { shapes: json, tools, asCommitted: isSame },
    code: isSame ? 0 : 1,
  }
}
