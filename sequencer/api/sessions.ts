/**
 * Who is asking. A member's owner key signs once for an Ed25519 key of its client, which then signs
 * every request: an owner signature costs the house thirty times as much. Kept in memory alone.
 */
import { createHash, createPublicKey, randomBytes, verify, type KeyObject } from 'node:crypto'
import {
  CLOCK_SECONDS,
  openingMessage,
  requestText,
  SESSION_SECONDS,
  type Opening,
} from '../../circuits/document.ts'
import { verify as verifyOwner, type Point } from '../../circuits/eddsa.ts'
import { ApiError } from './errors.ts'

/** Of one account; a new one beyond this ends the oldest. */
const SESSIONS_PER_ACCOUNT = 16
/** How far behind the highest nonce another may come; older ones count as used. */
const NONCE_WINDOW = 1_024

/** Remembers the last nonces of a session, exactly, and nothing more. */
export class Nonces {
  private highest = 0
  private seen = new Set<number>()

  isNew(nonce: number): boolean {
    return nonce > this.highest - NONCE_WINDOW && !this.seen.has(nonce)
  }
  use(nonce: number): void {
    this.seen.add(nonce)
    this.highest = Math.max(this.highest, nonce)
    if (this.seen.size <= 2 * NONCE_WINDOW) return
    this.seen = new Set([...this.seen].filter((n) => n > this.highest - NONCE_WINDOW))
  }
}

type Session = {
  readonly account: number
  /** The owner key when it was opened: another owner ends it. */
  readonly owner: Point
  readonly key: KeyObject
  /** Seconds. */
  readonly until: number
  readonly nonces: Nonces
}
/** Headers of a request, as text. */
export type Claim = {
  readonly session: string
  readonly time: string
  readonly nonce: string
  readonly signature: string
}

export class Sessions {
  /** Random at each start: an opening signed for another run opens nothing. */
  readonly instance = randomBytes(16).toString('hex')
  private readonly domain: () => bigint
  private readonly ownerOf: (account: number) => Point | undefined
  private readonly now: () => number
  private readonly sessions = new Map<string, Session>()
  /** Of each account, the oldest first. */
  private readonly own = new Map<number, Set<string>>()
  /** Sessions that made room for others: their openings must not open them again. */
  private readonly ended = new Map<string, number>()
  /** The second of the last look for those that are over. */
  private forgotAt = 0

  /** `now` in milliseconds. */
  constructor(
    domain: () => bigint,
    ownerOf: (account: number) => Point | undefined,
    now: () => number,
  ) {
    this.domain = domain
    this.ownerOf = ownerOf
    this.now = now
  }

  private get seconds(): number {
    return Math.floor(this.now() / 1000)
  }

  private checkClock(time: number): void {
    if (Math.abs(time - this.seconds) <= CLOCK_SECONDS) return
    throw new ApiError(
      'ClockMustAgree',
      `the clocks must agree within ${CLOCK_SECONDS} seconds: here it is ${this.seconds}`,
    )
  }

  /** The same opening twice is the same session, with the nonces that it has used. */
  open({ account, publicKey, time, instance, signature }: Opening): {
    readonly session: string
    readonly until: number
  } {
    if (instance !== this.instance) throw new ApiError('InstanceMustBeCurrent')
    this.checkClock(time)
    const owner = this.ownerOf(account)
    const message = openingMessage(this.domain(), { account, publicKey, time, instance })
    // Of an account that is none the same is said as of a wrong signature.
    if (owner === undefined || !verifyOwner(owner, message, signature))
      throw new ApiError('OwnerSignatureMustMatch')
    const session = createHash('sha256')
      .update(`${account} ${publicKey}`)
      .digest('hex')
      .slice(0, 32)
    const until = time + SESSION_SECONDS
    this.forget()
    if ((this.ended.get(session) ?? 0) > this.seconds) throw new ApiError('SessionMustBeLive')
    const known = this.sessions.get(session)
    if (known !== undefined && isSamePoint(known.owner, owner))
      return { session, until: known.until }
    this.makeRoom(account)
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey, 'hex').toString('base64url') },
      format: 'jwk',
    })
    this.sessions.set(session, { account, owner, key, until, nonces: new Nonces() })
    this.own.set(account, (this.own.get(account) ?? new Set()).add(session))
    return { session, until }
  }

  /** Before anything of the body is read: whether such a session may speak at all. */
  check({ session, time, nonce }: Claim): Session {
    const known = this.sessions.get(session)
    if (known === undefined || this.seconds >= known.until) throw new ApiError('SessionMustBeLive')
    const owner = this.ownerOf(known.account)
    if (owner === undefined || !isSamePoint(owner, known.owner)) {
      this.end(session)
      throw new ApiError('SessionMustBeLive')
    }
    if (!/^[1-9][0-9]{0,10}$/.test(time))
      throw new ApiError('ClockMustAgree', 'the time must be whole seconds since 1970')
    this.checkClock(Number(time))
    if (!/^[1-9][0-9]{0,14}$/.test(nonce))
      throw new ApiError('NonceMustBeNew', 'the nonce must be a whole number below 10^15')
    if (!known.nonces.isNew(Number(nonce))) throw new ApiError('NonceMustBeNew')
    return known
  }

  /** The calling account. Its nonce is used up, whatever becomes of the request. */
  authenticate(claim: Claim, method: string, path: string, body: Uint8Array): number {
    const known = this.check(claim)
    const { session, time, nonce, signature } = claim
    const bodyHash = createHash('sha256').update(body).digest('hex')
    const text = requestText(this.domain(), { session, time, nonce, method, path, bodyHash })
    if (
      !/^[0-9a-f]{128}$/.test(signature) ||
      !verify(null, Buffer.from(text), known.key, Buffer.from(signature, 'hex'))
    )
      throw new ApiError('RequestSignatureMustMatch')
    known.nonces.use(Number(nonce))
    return known.account
  }

  isLive(session: string): boolean {
    const known = this.sessions.get(session)
    const owner = known === undefined ? undefined : this.ownerOf(known.account)
    return (
      known !== undefined &&
      owner !== undefined &&
      isSamePoint(owner, known.owner) &&
      this.seconds < known.until
    )
  }

  end(session: string): void {
    const known = this.sessions.get(session)
    if (known === undefined) return
    this.sessions.delete(session)
    this.ended.set(session, this.seconds + 3 * CLOCK_SECONDS)
    const own = this.own.get(known.account)
    own?.delete(session)
    if (own?.size === 0) this.own.delete(known.account)
  }

  private makeRoom(account: number): void {
    const own = [...(this.own.get(account) ?? [])]
    for (const id of own.slice(0, Math.max(0, own.length - SESSIONS_PER_ACCOUNT + 1))) this.end(id)
  }

  /** Once a second: a look at all of them is dear where there are many, and anybody may ask for one. */
  private forget(): void {
    if (this.forgotAt === this.seconds) return
    this.forgotAt = this.seconds
    for (const [id, { until }] of this.sessions) if (this.seconds >= until) this.end(id)
    for (const [id, until] of this.ended) if (this.seconds >= until) this.ended.delete(id)
  }
}

function isSamePoint(a: Point, b: Point): boolean {
  return a.x === b.x && a.y === b.y
}
