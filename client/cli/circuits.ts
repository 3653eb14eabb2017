/** `cloister circuits`: what the circuits of this checkout are, held against what is committed. */
import type { Command } from 'commander'
import { SHAPES } from '../../circuits/params.ts'
import type { Common, Result } from './day.ts'
import * as help from './help-ceremony.ts'

type Options = { readonly keys: boolean; readonly fresh: boolean }

export function addCircuits(
  program: Command,
  commonOf: (command: Command) => Common,
  run: (work: Promise<Result>) => Promise<void>,
): void {
  program
    .command('circuits [shape...]')
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
  const { shapeNamed } = await import('../../prover/artifacts.ts')
  const committed = prints.committedFingerprints()
  const shapes = names.length === 0 ? SHAPES : names.map(shapeNamed)
  const text: string[] = []
  const json: Record<string, unknown> = {}
  let isSame = true
  for (const shape of shapes) {
    const found = await prints.fingerprintOf(shape, {
      withKey: keys,
      isFresh: fresh,
      progress: note,
    })
    const differences = prints.differencesFrom(committed.shapes[shape.name], found)
    isSame &&= differences.length === 0
    json[shape.name] = { ...found, differences }
    text.push(
      `${shape.name}  ${found.constraints} constraints`,
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
