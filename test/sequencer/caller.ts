/** Requests as they go over the wire, so that each part of one can be made wrong by itself. */
import type { SigningKey } from '../../circuits/eddsa.ts'
import { newOpening, Session } from '../../client/session.ts'
import type { Member } from '../../client/member.ts'

export type Answer = {
  readonly status: number
  readonly code: string | null
  readonly detail: string
  readonly value: Record<string, unknown>
}

export async function ask(
  url: string,
  method: string,
  path: string,
  body?: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: body as never }),
  })
  const text = await response.text()
  const value = JSON.parse(text) as Record<string, unknown>
  const error = value['error'] as { code: string; detail: string } | undefined
  return {
    status: response.status,
    code: error?.code ?? null,
    detail: error?.detail ?? '',
    value,
  }
}

export const json = (value: unknown): string =>
  JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? `${item}` : item))

/** A session opened by hand. `key`: that signs the opening. */
export async function sessionOf(
  url: string,
  member: Member,
  domain: bigint,
  key: SigningKey = member.keys.signing,
): Promise<Session> {
  const { value } = await ask(url, 'GET', '/v1/status')
  const credentials = { account: member.account, key, domain }
  const { opening, privateKey } = newOpening(credentials, String(value['instance']))
  const opened = await ask(url, 'POST', '/v1/sessions', json(opening))
  if (opened.status !== 200) throw new Error(`${opened.status} ${opened.code}`)
  return new Session(
    String(opened.value['session']),
    Number(opened.value['until']),
    domain,
    privateKey,
  )
}

export class Caller {
  readonly url: string
  readonly session: Session

  constructor(url: string, session: Session) {
    this.url = url
    this.session = session
  }
  static async open(url: string, member: Member, domain: bigint): Promise<Caller> {
    return new Caller(url, await sessionOf(url, member, domain))
  }
  get(path: string): Promise<Answer> {
    return ask(this.url, 'GET', path, undefined, this.session.headers('GET', path, ''))
  }
  post(path: string, value: unknown): Promise<Answer> {
    return this.send(path, json(value))
  }
  /** A body that is signed as it is, whatever it is. */
  send(path: string, body: string): Promise<Answer> {
    return ask(this.url, 'POST', path, body, this.session.headers('POST', path, body))
  }
}
