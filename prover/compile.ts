// Compiling a circuit with circom2 (Circom 2.2.3 as WASM), in a child process.

import { spawn } from 'node:child_process'
import { mkdir, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { turnSides } from './sides.ts'

export type CompileOptions = {
  readonly entry: string
  readonly outDir: string
  readonly includeDirs: readonly string[]
  /** Each line that the compiler prints, as it prints it. */
  readonly onProgress?: (line: string) => void
}

export type CompiledCircuit = {
  readonly r1csPath: string
  readonly wasmPath: string
  readonly symPath: string
  readonly warnings: readonly string[]
}

// --O1 only: the dense --O2 takes minutes at this size and gains little where the linear layers are
// written as vars. The flag is part of the law's fingerprint: changing it changes every r1cs.
const FLAGS = ['--r1cs', '--wasm', '--sym', '--O1']
// The heap is for node itself; the compiler has its own 4 GiB of WASM memory.
const NODE_FLAGS = ['--max-old-space-size=4096']
const COLOURS = /\u001b\[[0-9;]*m/g
const ERROR_TEXT_LIMIT = 8000

export async function compileCircuit(options: CompileOptions): Promise<CompiledCircuit> {
  const entry = resolve(options.entry)
  const outDir = resolve(options.outDir)
  const includeDirs = options.includeDirs.map((dir) => resolve(dir))
  await mkdir(outDir, { recursive: true })
  // The WASI program sees what lies under its working directory.
  const workingDir = commonDirectory([dirname(entry), outDir, ...includeDirs])
  const local = (path: string): string => relative(workingDir, path) || '.'
  const args = [
    local(entry),
    ...FLAGS,
    '-o',
    local(outDir),
    ...includeDirs.flatMap((dir) => ['-l', local(dir)]),
  ]
  const output = await runCircom(workingDir, args, options.onProgress)
  if (output.code !== 0) {
    const text = output.text.trim().slice(-ERROR_TEXT_LIMIT)
    throw new Error(`circom failed on ${entry} (${output.end}):\n${text || 'it said nothing'}`)
  }
  const name = basename(entry, '.circom')
  const compiled = {
    r1csPath: join(outDir, `${name}.r1cs`),
    wasmPath: join(outDir, `${name}_js`, `${name}.wasm`),
    symPath: join(outDir, `${name}.sym`),
    warnings: warningsIn(output.text),
  }
  for (const path of [compiled.r1csPath, compiled.wasmPath, compiled.symPath]) {
    const found = await stat(path).catch(() => undefined)
    if (found === undefined || found.size === 0) {
      throw new Error(`circom succeeded on ${entry} but did not write ${path}`)
    }
  }
  turnSides(compiled.r1csPath)
  return compiled
}

type CompilerOutput = { readonly code: number | null; readonly end: string; readonly text: string }

function runCircom(
  cwd: string,
  args: readonly string[],
  onProgress: ((line: string) => void) | undefined,
): Promise<CompilerOutput> {
  const cli = createRequire(import.meta.url).resolve('circom2/cli.js')
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [...NODE_FLAGS, cli, ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    let line = ''
    const onData = (chunk: string): void => {
      const clean = chunk.replace(COLOURS, '')
      text += clean
      if (onProgress === undefined) return
      const lines = (line + clean).split('\n')
      line = lines.pop() ?? ''
      for (const full of lines) if (full.trim() !== '') onProgress(full.trimEnd())
    }
    child.stdout.setEncoding('utf8').on('data', onData)
    child.stderr.setEncoding('utf8').on('data', onData)
    child.on('error', failed)
    child.on('close', (code, signal) => {
      done({ code, end: signal === null ? `exit code ${code}` : `signal ${signal}`, text })
    })
  })
}

/** Every report that circom heads with `warning[...]`, in one line each. */
function warningsIn(text: string): string[] {
  return text
    .split(/^(?=warning\[|error\[|template instances:|Everything went okay)/m)
    .filter((part) => part.startsWith('warning['))
    .map((part) => part.trim().replace(/\s*\n\s*/g, ' '))
}

function commonDirectory(paths: readonly string[]): string {
  const [first = process.cwd(), ...rest] = paths
  let common = first.split(sep)
  for (const path of rest) {
    const parts = path.split(sep)
    let shared = 0
    while (shared < common.length && common[shared] === parts[shared]) shared++
    common = common.slice(0, shared)
  }
  return common.join(sep) || sep
}
