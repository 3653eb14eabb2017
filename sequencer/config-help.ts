/** What `node --import tsx sequencer/main.ts --help` says: every setting, from the table that reads them. */
import { flagOf, KEYS, SECRETS, SETTINGS, variableOf } from './config.ts'

const WIDTH = 100
const INDENT = 6

export function configurationHelp(): string {
  return [
    'Usage: node --import tsx sequencer/main.ts [options]',
    '',
    'Keeps a house: admission, batches, proofs, API, metrics. Flags go before the environment, that',
    'before the file, that before the default. docs/operations.md says how to run it. Options:',
    '  --config FILE, CLOISTER_CONFIG',
    ...wrapped('settings as JSON, by the name in brackets'),
    ...KEYS.flatMap((key) => {
      const { about, must, fallback } = SETTINGS[key]
      const unless = fallback === undefined ? 'required' : `default: ${fallback || 'none'}`
      return [
        `  --${flagOf(key)}, ${variableOf(key)} [${key}]`,
        ...wrapped(`${about}; ${must} (${unless})`),
      ]
    }),
    '  --help',
    '',
    'Secrets, in the environment or in a file of mode 0600 that NAME_FILE names, never by a flag:',
    ...Object.entries(SECRETS).flatMap(([name, { about }]) => [`  ${name}`, ...wrapped(about)]),
    '',
    'Exit codes: 0 it was told to end, 70 it must be started again, 78 the configuration is wrong,',
    '130 a second signal did not let it finish.',
  ].join('\n')
}

function wrapped(text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && INDENT + line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].map((part) => ' '.repeat(INDENT) + part)
}
