/** The log: one line an event, nothing below its level, no password, nothing endless. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { JsonRpcProvider } from 'ethers'
import { describe, expect, it, vi } from 'vitest'
import { failureOf } from '../../client/cli/failures.ts'
import { logOf, reasonOf, type LogFormat, type LogLevel } from '../../sequencer/log.ts'

const NOW = new Date('2026-03-12T04:00:00.000Z')
function written(level: LogLevel, format: LogFormat = 'json') {
  const lines: string[] = []
  const log = logOf({ level, format, write: (line) => lines.push(line), now: () => NOW })
  return { log, lines }
}

it('is a line of JSON an event', () => {
  const { log, lines } = written('info')
  log.info('batch accepted by L1', { batch: 7, shape: 'small' })
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      time: NOW.toISOString(),
      level: 'info',
      event: 'batch accepted by L1',
      batch: 7,
      shape: 'small',
    },
  ])
})

it.each([
  ['debug', 4],
  ['info', 3],
  ['warn', 2],
  ['error', 1],
] as const)('at %s has %i of the four levels', (level, count) => {
  const { log, lines } = written(level)
  log.debug('a')
  log.info('b')
  log.warn('c')
  log.error('d')
  expect(lines).toHaveLength(count)
})

it('has what a node said where ethers did not understand it', async () => {
  const server = createServer((_request, response) => {
    const error = { code: -32603, message: 'ENOSPC: no space left on device, write' }
    response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, error }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const provider = new JsonRpcProvider(`http://127.0.0.1:${port}`, 1, {
    staticNetwork: true,
    batchMaxCount: 1,
  })
  const error = await provider.send('eth_sendRawTransaction', ['0x']).catch((e: unknown) => e)
  provider.destroy()
  server.close()
  for (const text of [reasonOf(error), failureOf(error).text])
    expect(text).toContain('ENOSPC: no space left on device')
})

it('stays one line, whatever is in it', () => {
  const { log, lines } = written('info')
  log.info('two\nlines', { why: 'a\r\nb\u2028c' })
  expect(lines[0]).not.toMatch(/[\r\n]/)
})

it('shows no password of a URL, and cuts what is endless', () => {
  const { log, lines } = written('info')
  log.error('failed: postgres://cloister:hush@db/house', { why: 'x'.repeat(5_000) })
  expect(lines[0]).toContain('postgres://db/house')
  expect(lines[0]).not.toContain('hush')
  expect(lines[0]?.length).toBeLessThan(1_200)
})

it('is text for people where it is asked for', () => {
  const { log, lines } = written('info', 'text')
  log.info('the house is open', { batch: 3 })
  expect(lines).toEqual(['the house is open  batch 3'])
})

it('gives the first line of an error: the rest may be what was sent', () => {
  expect(reasonOf(new Error('refused\n{"quantity":"7"}'))).toBe('refused')
  expect(reasonOf(Object.assign(new Error('long (data=0x12)'), { shortMessage: 'short' }))).toBe(
    'short',
  )
  expect(reasonOf('text')).toBe('text')
})

describe('a log that takes nothing', () => {
  const LINES = `
    import { logOf } from '${join(import.meta.dirname, '../../sequencer/log.ts')}'
    const log = logOf({ level: 'info', format: 'json' })
    process.on('uncaughtException', (error) => process.exit(70))
    log.error('one')
    setTimeout(() => log.error('two'), 50)
    setTimeout(() => process.stdout.write('alive', () => process.exit(0)), 100)`
  /** What a process says that logs to this. */
  const run = (stderr: number | 'pipe'): Promise<string> =>
    new Promise((resolve) => {
      const args = ['--import', 'tsx', '--input-type=module', '-e', LINES]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', stderr] })
      let said = ''
      child.stdout?.on('data', (data: Buffer) => (said += data.toString()))
      // Nobody reads it from the first line on.
      child.stderr?.destroy()
      child.once('close', (code) => resolve(`${said} ${code}`))
    })

  it.skipIf(!existsSync('/dev/full'))('because its disk is full ends nothing', async () => {
    const full = openSync('/dev/full', 'w')
    expect(await run(full)).toBe('alive 0')
    closeSync(full)
  })

  it('because its reader is gone ends nothing', async () => {
    expect(await run('pipe')).toBe('alive 0')
  })

  it('because its reader stands still takes no memory, and tells afterwards what is missing', async () => {
    const lines = `
      import { logOf } from '${join(import.meta.dirname, '../../sequencer/log.ts')}'
      const log = logOf({ level: 'info', format: 'json' })
      for (let i = 0; i < 20_000; i++) log.info('a line', { i, why: 'x'.repeat(400) })
      process.stdout.write(String(process.stderr.writableLength))
      process.stdin.once('data', () => {
        const wait = setInterval(() => {
          if (process.stderr.writableLength > 0) return
          clearInterval(wait)
          log.info('the end')
          process.stdin.destroy()
        }, 10)
      })`
    const args = ['--import', 'tsx', '--input-type=module', '-e', lines]
    const child = spawn(process.execPath, args, { stdio: 'pipe' })
    const [queued] = (await once(child.stdout, 'data')) as [Buffer]
    expect(Number(queued)).toBeLessThan(2_000_000)
    let text = ''
    child.stderr.on('data', (data: Buffer) => (text += data.toString()))
    child.stdin.write('read')
    await once(child, 'close')
    const events = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; lines?: number })
    const kept = events.filter(({ event }) => event === 'a line').length
    expect(kept).toBeGreaterThan(1_000)
    expect(events.slice(kept).map(({ event, lines: missing }) => [event, missing])).toEqual([
      ['lines of the log are lost', 20_000 - kept],
      ['the end', undefined],
    ])
  })

  it('because its disk is full has its next line whole, behind what was cut in the midst', () => {
    let file = ''
    let room = 20
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text, ...rest) => {
      const part = String(text).slice(0, room)
      file += part
      const error = part === text ? null : new Error('ENOSPC: no space left on device, write')
      const told = rest.at(-1) as unknown as (error: Error | null) => void
      told(error)
      return true
    })
    try {
      const log = logOf({ level: 'info', format: 'text' })
      log.info('one '.repeat(10))
      room = 0
      log.info('two')
      room = Infinity
      log.info('three')
    } finally {
      write.mockRestore()
    }
    expect(file.split('\n').slice(1)).toEqual(['lines of the log are lost  lines 2', 'three', ''])
  })

  it('counts what is lost until a line is taken again, at every level', () => {
    for (const level of ['info', 'error'] as const) {
      let isFull = true
      const taken: string[] = []
      const log = logOf({
        level,
        format: 'text',
        write: (line, lost) => (isFull ? lost() : void taken.push(line)),
      })
      for (const event of ['a', 'b', 'c']) log.error(event)
      isFull = false
      log.error('d')
      log.error('e')
      expect(taken).toEqual(['lines of the log are lost  lines 3', 'd', 'e'])
    }
  })
})
