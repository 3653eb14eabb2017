/** The compiled circuit as a test sees it: witness or the name of the rule that refused it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  shapeNamed,
  circuitOfShape,
  PROJECT_ROOT,
  type CircuitFiles,
} from '../../prover/artifacts.ts'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import type { WitnessInput, WitnessValue } from '../../circuits/witness.ts'

declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
}

/** What the wasm of circom 2 exports. */
type Calculator = {
  init(sanityCheck: number): void
  getFieldNumLen32(): number
  getWitnessSize(): number
  getInputSize(): number
  getInputSignalSize(msb: number, lsb: number): number
  setInputSignal(msb: number, lsb: number, position: number): void
  writeSharedRWMemory(position: number, value: number): void
  readSharedRWMemory(position: number): number
  getWitness(position: number): void
  getMessageChar(): number
}

/** The innermost frames first: template, its instance and the line in its file. */
export type Frame = { readonly template: string; readonly line: number }
export class WitnessRefused extends Error {
  readonly frames: readonly Frame[]
  constructor(text: string) {
    super(text)
    this.frames = [...text.matchAll(/Error in template (\w+?)_\d+ line: (\d+)/g)].map(
      ([, template, line]) => ({ template: template as string, line: Number(line) }),
    )
  }
}

const ERRORS = [
  '',
  'Signal not found',
  'Too many signals set',
  'Signal already set',
  'Assert failed',
  'Not enough memory',
  'Input signal array access exceeds the size',
  'Out of bounds array access',
]

/** FNV-1a of a signal's name in two halves: the key under which the wasm knows it. */
function signalKey(name: string): readonly [number, number] {
  let hash = 0xcbf29ce484222325n
  for (const char of name) {
    hash = ((hash ^ BigInt(char.charCodeAt(0))) * 0x100000001b3n) & 0xffffffffffffffffn
  }
  return [Number(hash >> 32n), Number(hash & 0xffffffffn)]
}

function flatten(value: WitnessValue, into: bigint[] = []): bigint[] {
  if (typeof value === 'bigint') into.push(value)
  else for (const part of value) flatten(part, into)
  return into
}

/** One circuit, loaded once. A refused witness leaves an instance of no use, so it is renewed. */
export class Circuit {
  private readonly module: object
  private calculator: Calculator | null = null
  private messages = ''
  private readonly keys = new Map<string, readonly [number, number]>()

  constructor(files: CircuitFiles) {
    this.module = new WebAssembly.Module(readFileSync(files.wasmPath))
  }

  private instance(): Calculator {
    if (this.calculator !== null) return this.calculator
    const get = (): Calculator => this.calculator as Calculator
    const message = (): string => {
      let text = ''
      for (let c = get().getMessageChar(); c !== 0; c = get().getMessageChar())
        text += String.fromCharCode(c)
      return text
    }
    const runtime = {
      exceptionHandler: (code: number): void => {
        throw new WitnessRefused(`${ERRORS[code] ?? 'unknown error'}\n${this.messages}`)
      },
      printErrorMessage: (): void => {
        this.messages += `${message()}\n`
      },
      writeBufferMessage: (): void => {
        message()
      },
      showSharedRWMemory: (): void => {},
    }
    const made = new WebAssembly.Instance(this.module, { runtime })
    this.calculator = made.exports as Calculator
    return this.calculator
  }

  private run(input: WitnessInput): Calculator {
    const wasm = this.instance()
    this.messages = ''
    wasm.init(0)
    const words = wasm.getFieldNumLen32()
    let count = 0
    for (const [name, value] of Object.entries(input)) {
      const [msb, lsb] = this.keys.get(name) ?? signalKey(name)
      this.keys.set(name, [msb, lsb])
      const flat = flatten(value)
      const size = wasm.getInputSignalSize(msb, lsb)
      if (size !== flat.length)
        throw new Error(`${name}: ${flat.length} values for ${size} signals`)
      flat.forEach((v, i) => {
        let rest = ((v % FIELD_MODULUS) + FIELD_MODULUS) % FIELD_MODULUS
        for (let w = 0; w < words; w++) {
          wasm.writeSharedRWMemory(w, Number(rest & 0xffffffffn) | 0)
          rest >>= 32n
        }
        count++
        wasm.setInputSignal(msb, lsb, i)
      })
    }
    if (count !== wasm.getInputSize()) throw new Error(`${count} of ${wasm.getInputSize()} inputs`)
    return wasm
  }

  /** All wires, or the error of the first constraint that failed. */
  tryWitness(input: WitnessInput): bigint[] | WitnessRefused {
    try {
      const wasm = this.run(input)
      const words = wasm.getFieldNumLen32()
      return Array.from({ length: wasm.getWitnessSize() }, (_, i) => {
        wasm.getWitness(i)
        let value = 0n
        for (let w = words - 1; w >= 0; w--)
          value = (value << 32n) + BigInt(wasm.readSharedRWMemory(w) >>> 0)
        return value
      })
    } catch (error) {
      this.calculator = null
      if (error instanceof WitnessRefused) return error
      throw error
    }
  }

  /** Null if the circuit accepts, else the refusal. Does not read the wires. */
  refusal(input: WitnessInput): WitnessRefused | null {
    try {
      this.run(input)
      return null
    } catch (error) {
      this.calculator = null
      if (error instanceof WitnessRefused) return error
      throw error
    }
  }

  accepts(input: WitnessInput): boolean {
    return this.refusal(input) === null
  }

  /** The rule whose constraint failed, or null if the circuit accepts. */
  failedRule(input: WitnessInput): string | null {
    const refused = this.refusal(input)
    return refused === null ? null : ruleOf(refused)
  }
}

type Place = { readonly lines: readonly string[] }
let templates: ReadonlyMap<string, Place> | null = null

/** Templates of the law outside lib/: a failure inside lib/ is of the rule that called it. */
function lawTemplates(): ReadonlyMap<string, Place> {
  if (templates !== null) return templates
  const dir = join(PROJECT_ROOT, 'circuits')
  const found = new Map<string, Place>()
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.circom'))) {
    const lines = readFileSync(join(dir, file), 'utf8').split('\n')
    for (const line of lines) {
      const name = /^template (\w+)/.exec(line)?.[1]
      if (name !== undefined) found.set(name, { lines })
    }
  }
  templates = found
  return found
}

/**
 * The nearest heading `// N. RuleName` above the failed line within the innermost template of the
 * law; headings that stand one under the other share their constraints and come as `A/B`.
 */
export function ruleOf(refused: WitnessRefused): string {
  const headingAt = (lines: readonly string[], at: number): string | undefined =>
    /^\s+\/\/\s+\d+\. ([A-Z]\w+)/.exec(lines[at] ?? '')?.[1]
  for (const { template, line } of refused.frames) {
    const lines = lawTemplates().get(template)?.lines
    if (lines === undefined) continue
    let at = line - 1
    while (
      at > 0 &&
      headingAt(lines, at) === undefined &&
      !(lines[at] as string).startsWith('template ')
    )
      at--
    const found: string[] = []
    for (; headingAt(lines, at) !== undefined; at--) found.unshift(headingAt(lines, at) as string)
    if (found.length > 0) return found.join('/')
  }
  return `no rule above: ${refused.message.trim()}`
}

const loaded = new Map<string, Promise<Circuit>>()

/** The circuit of a shape, compiled at most once and loaded once per process. */
export function circuitNamed(name: string): Promise<Circuit> {
  const known =
    loaded.get(name) ??
    circuitOfShape(shapeNamed(name), (what) => console.log(what)).then((files) => {
      if (!existsSync(files.wasmPath)) throw new Error(`${files.wasmPath} is missing`)
      return new Circuit(files)
    })
  loaded.set(name, known)
  return known
}
