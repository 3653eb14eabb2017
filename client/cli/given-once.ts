/** What a command line must not leave to guesses: an option without a value, or with two. */
import { InvalidArgumentError, type Command } from 'commander'

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
      if (value === '') throw new InvalidArgumentError('It must not be empty.')
      if (value.startsWith('--')) throw new InvalidArgumentError('It looks like the next option.')
      if (isGiven) throw new InvalidArgumentError('It is given twice.')
      isGiven = true
      return value
    })
  }
  command.commands.forEach(requireGivenOnce)
}
