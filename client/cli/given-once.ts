/** What a command line must not leave to guesses: an option without a value, or with two; an unknown command. */
import type { Command } from 'commander'
import { Undone } from './failures.ts'

/**
 * An empty value comes of an unset variable of a shell: as a directory it would be the one that the
 * program runs in. An option in the place of a value is a value that was forgotten. Of two values one
 * would win without a word.
 */
export function requireGivenOnce(command: Command): void {
  for (const option of command.options) {
    if (option.isBoolean() || option.negate || option.variadic || option.parseArg !== undefined)
      continue
    let isGiven = false
    option.argParser((value) => {
      const name = option.long ?? option.flags
      if (value === '') throw new Undone(`${name} must not be empty`)
      if (value.startsWith('--')) throw new Undone(`${name} lacks its value: ${value} is an option`)
      if (isGiven) throw new Undone(`${name} is given twice`)
      isGiven = true
      return value
    })
  }
  command.commands.forEach(requireGivenOnce)
}

/** Whoever asks for the help of a command that does not exist is told that, not the help of another. */
export function requireKnownCommand(program: Command): void {
  program.addHelpText('beforeAll', ({ command }) => {
    const [first, second] = command.args
    const name = first === 'help' ? second : first
    if (name === undefined || name.startsWith('-') || command.commands.length === 0) return ''
    if (command.commands.some((known) => known.name() === name)) return ''
    return command.error(`error: unknown command '${name}'`, { code: 'commander.unknownCommand' })
  })
}

/** Of a database's URL; the process list shows it to everybody on the machine. */
const PASSWORD = /postgres(ql)?:\/\/[^\s/@:]*:[^\s/@]+@/

/** What is wrong with a command line whatever it asks for, or null. */
export function spilledSecret(argv: readonly string[]): string | null {
  return argv.some((word) => PASSWORD.test(word))
    ? 'a password must not stand on the command line, which every process of this machine can read: ' +
        'use CLOISTER_JOURNAL, CLOISTER_JOBS, --jobs-file, or PGPASSWORD beside a URL without it'
    : null
}
