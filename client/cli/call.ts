/** `cloister call`: one signed request to the house, for trying out its API. */
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'
import { Undone } from './failures.ts'

type CommonOf = (command: Command) => Common
type Run = (work: Promise<Result>) => Promise<void>
type Options = { readonly curl?: true }

const HELP = `
Examples:
  cloister call ANN GET /v1/account
  cloister call ANN POST /v1/account/margin '{"entries":[]}'
  cloister call ANN GET '/v1/events?after=0&wait=20'
  cloister call ANN GET /v1/trades --curl       a curl command, good once within 30 seconds
docs/api.md has every route. Pages are better signed by: cloister trade, cloister withdraw.`

export function addCall(program: Command, commonOf: CommonOf, run: Run): void {
  program
    .command('call <name> <method> <path> [body]')
    .description('send a request to the house, signed for this member')
    .option('--curl', 'print it as a curl command instead')
    .addHelpText('after', HELP)
    .action(
      (
        name: string,
        method: string,
        path: string,
        body: string | undefined,
        options: Options,
        command: Command,
      ) => run(call(name, method, path, body, { ...commonOf(command), ...options })),
    )
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

async function call(
  name: string,
  method: string,
  path: string,
  body: string | undefined,
  options: Common & Options,
): Promise<Result> {
  if (method !== 'GET' && method !== 'POST') throw new Undone('the method must be GET or POST')
  if (!/^\/v1\/[!-~]*$/.test(path)) throw new Undone('the path must begin with /v1/')
  if (method === 'POST' && body === undefined) throw new Undone('a POST needs a body, or {}')
  if (method === 'GET' && body !== undefined) throw new Undone('a GET has no body')
  const { lookingAs } = await import('./session.ts')
  return lookingAs(name, options, async ({ house: { api } }) => {
    if (options.curl === true) {
      const signed = await api.headersOf(method, path, body ?? '')
      const type = body === undefined ? {} : { 'content-type': 'application/json' }
      const headers = Object.entries({ ...type, ...signed })
      const words = [
        'curl',
        ...headers.map(([key, value]) => `-H ${quoted(`${key}: ${value}`)}`),
        ...(body === undefined ? [] : [`-d ${quoted(body)}`]),
        quoted(`${api.url}${path}`),
      ]
      return { text: words.join(' '), json: { curl: words.join(' ') } }
    }
    const { status, value } = await api.request(method, path, body ?? null)
    return {
      text: JSON.stringify(value, null, 2),
      json: { status, answer: value },
      code: status === 200 ? 0 : 1,
    }
  })
}
