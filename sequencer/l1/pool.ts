/**
 * Several nodes of L1 that may lie or fall silent. What matters is believed when enough of them say
 * the same; whoever says something else, or nothing, is named in an alarm.
 */
import { NoAnswer, RpcError, type L1Node } from './rpc.ts'

/** Fewer nodes than needed answered, or they contradict each other: wait, and ask again. */
export class NoAgreement extends Error {}

export type Alarm = {
  readonly what: 'l1Silent' | 'l1Disagrees' | 'l1Behind' | 'l1Reorg' | 'gasCap' | 'stuck'
  readonly detail: string
}
export type PoolOptions = {
  readonly nodes: readonly L1Node[]
  /** How many must say the same; more than half by default. */
  readonly quorum?: number
  readonly alarm: (alarm: Alarm) => void
}
/** How one node stands now. */
export type NodeState = {
  /** The host alone: keys stand in paths and queries. Nodes of one host are numbered. */
  readonly name: string
  readonly isSilent: boolean
  /** It contradicts the others in something. */
  readonly isLying: boolean
  /** Blocks behind what enough of them have; null before it has said. */
  readonly lag: number | null
}
type Said = { readonly node: L1Node; readonly value: unknown; readonly error: unknown }

/** How long the slower ones are waited for once enough have answered. */
const GRACE_MILLISECONDS = 250
/** Blocks that a node may lag before it is named. */
const LAG_BLOCKS = 16

export class Pool {
  readonly quorum: number
  private readonly nodes: readonly L1Node[]
  private readonly alarm: (alarm: Alarm) => void
  private readonly quiet = new Set<L1Node>()
  /** In which methods a node contradicts the others. */
  private readonly lies = new Map<L1Node, Set<string>>()
  private readonly behind = new Set<L1Node>()
  private readonly lags = new Map<L1Node, number>()

  constructor({ nodes, quorum, alarm }: PoolOptions) {
    const most = Math.floor(nodes.length / 2) + 1
    this.quorum = quorum ?? most
    if (nodes.length === 0) throw new Error('L1 must have at least one address')
    if (!Number.isInteger(this.quorum) || this.quorum < 1 || this.quorum > nodes.length)
      throw new Error(`the L1 quorum must be 1 to ${nodes.length}, not ${this.quorum}`)
    this.nodes = nodes
    this.alarm = alarm
  }

  /** For whoever watches. */
  get state(): readonly NodeState[] {
    const count = new Map<string, number>()
    return this.nodes.map((node) => {
      const place = (count.get(node.name) ?? 0) + 1
      count.set(node.name, place)
      return {
        name: place === 1 ? node.name : `${node.name} ${place}`,
        isSilent: this.quiet.has(node),
        isLying: this.liesOf(node).size > 0,
        lag: this.lags.get(node) ?? null,
      }
    })
  }

  /**
   * What `quorum` nodes say alike, as `view` takes it: nodes add fields of their own. A null and a
   * refusal without data are a node that does not know yet, so no answer; a revert is one, and is
   * thrown as RpcError. Throws NoAgreement.
   */
  agreed<T>(method: string, params: readonly unknown[], view: (value: unknown) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const heard: Said[] = []
      let answers = 0
      let isSettled = false
      for (const node of this.nodes) {
        void this.ask(node, method, params, view).then((said) => {
          answers++
          if (keyOf(said) !== null) heard.push(said)
          const most = largest(heard)
          if (!isSettled && most.length >= this.quorum) {
            isSettled = true
            const { value, error } = most[0] as Said
            if (error === null) resolve(value as T)
            else reject(error as Error)
          }
          // Also after the answer was given: whoever lies is named even if it is slow.
          if (answers < this.nodes.length) return
          this.judge(method, heard, most)
          if (!isSettled) reject(this.disagreement(method, heard, most))
        })
      }
    })
  }

  /** To all of them; resolves when all have answered or failed, with what each said. */
  tell(method: string, params: readonly unknown[]): Promise<readonly Said[]> {
    return Promise.all(this.nodes.map((node) => this.ask(node, method, params)))
  }

  /** The highest block that `quorum` nodes have. */
  async height(): Promise<number> {
    const heights = new Map<L1Node, number>()
    const asked = this.nodes.map(async (node) => {
      const said = await this.ask(node, 'eth_blockNumber', [])
      const height = Number(said.value)
      if (said.error === null && Number.isSafeInteger(height)) heights.set(node, height)
      return heights.size
    })
    const all = Promise.all(asked).then(() => {})
    await Promise.race([all, this.enough(asked)])
    const sorted = [...heights.values()].sort((a, b) => b - a)
    const agreed = sorted[this.quorum - 1]
    if (agreed === undefined) throw this.silent('eth_blockNumber')
    for (const [node, height] of heights) this.judgeHeight(node, height, agreed)
    return agreed
  }

  /** A little after enough have answered, so that one silent node does not slow the others down. */
  private enough(asked: readonly Promise<number>[]): Promise<void> {
    return new Promise((resolve) => {
      let isDue = false
      for (const one of asked)
        void one.then((count) => {
          if (isDue || count < this.quorum) return
          isDue = true
          setTimeout(resolve, GRACE_MILLISECONDS)
        })
    })
  }

  private async ask(
    node: L1Node,
    method: string,
    params: readonly unknown[],
    view: (value: unknown) => unknown = (value) => value,
  ): Promise<Said> {
    try {
      const given = await node.ask(method, params)
      const value = given === null ? null : viewed(view, given)
      this.quiet.delete(node)
      return { node, value, error: null }
    } catch (error) {
      // A refusal is an answer, too.
      if (!(error instanceof NoAnswer)) this.quiet.delete(node)
      else if (!this.quiet.has(node)) {
        this.quiet.add(node)
        this.alarm({ what: 'l1Silent', detail: `${node.name}: ${error.message}` })
      }
      return { node, value: null, error }
    }
  }

  private liesOf(node: L1Node): Set<string> {
    const known = this.lies.get(node) ?? new Set<string>()
    this.lies.set(node, known)
    return known
  }

  /** Whoever contradicts the others is named once, until it agrees with them in that again. */
  private judge(method: string, heard: readonly Said[], most: readonly Said[]): void {
    if (most.length < this.quorum) return
    for (const said of heard) {
      const lies = this.liesOf(said.node)
      if (most.includes(said)) lies.delete(method)
      else if (!lies.has(method)) {
        lies.add(method)
        const others = most.map(({ node }) => node.name).join(', ')
        const detail = `${said.node.name} contradicts ${others} in ${method}`
        this.alarm({ what: 'l1Disagrees', detail })
      }
    }
  }

  private judgeHeight(node: L1Node, height: number, agreed: number): void {
    this.lags.set(node, Math.max(0, agreed - height))
    if (height + LAG_BLOCKS >= agreed) {
      this.behind.delete(node)
      return
    }
    if (this.behind.has(node)) return
    this.behind.add(node)
    const detail = `${node.name} is at block ${height}, the others at ${agreed}`
    this.alarm({ what: 'l1Behind', detail })
  }

  private disagreement(method: string, heard: readonly Said[], most: readonly Said[]): NoAgreement {
    if (heard.length < this.quorum) return this.silent(method)
    const sides = heard.map(({ node }) => node.name).join(', ')
    const detail = `${sides} say different things in ${method}: ${most.length} agree, ${this.quorum} must`
    this.alarm({ what: 'l1Disagrees', detail })
    return new NoAgreement(`L1: ${detail}`)
  }

  private silent(method: string): NoAgreement {
    const detail = `fewer than ${this.quorum} of ${this.nodes.length} nodes answer ${method}`
    return new NoAgreement(`L1: ${detail}`)
  }
}

function viewed(view: (value: unknown) => unknown, given: unknown): unknown {
  try {
    return view(given)
  } catch (error) {
    throw new NoAnswer(`not what was asked for: ${(error as Error).message}`)
  }
}

/** Null of what is no answer. Keys of an object may come in any order. */
function keyOf({ value, error }: Said): string | null {
  if (error === null) return value === null ? null : JSON.stringify(sorted(value))
  return error instanceof RpcError && error.data !== null ? `refused ${error.data}` : null
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(pairs.map(([key, item]) => [key, sorted(item)]))
}

function largest(heard: readonly Said[]): readonly Said[] {
  const groups = new Map<string, Said[]>()
  for (const said of heard) {
    const key = keyOf(said) as string
    groups.set(key, [...(groups.get(key) ?? []), said])
  }
  return [...groups.values()].reduce((a, b) => (b.length > a.length ? b : a), [] as Said[])
}
