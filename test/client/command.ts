/** The command line as a test calls it: what it printed and the code that it ended with. */
import { main } from '../../client/cli/main.ts'

export type Ran = { readonly code: number; readonly out: string; readonly err: string }

export async function cloister(...argv: readonly string[]): Promise<Ran> {
  let out = ''
  let err = ''
  const code = await main(argv, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
  })
  return { code, out, err }
}
