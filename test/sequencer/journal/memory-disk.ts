/** A disk in memory that forgets what was not synced, tears writes at any byte, and fills up. */
import type { Disk, DiskFile } from '../../../sequencer/journal/disk.ts'
import { JournalError } from '../../../sequencer/journal/journal.ts'

type Content = { bytes: Buffer; durable: Buffer }
/** Called before each operation that changes the disk; may throw in its place. */
export type Before = (operation: string, path: string, bytes: number) => void

export class MemoryDisk implements Disk {
  /** By name as programs see them, and as they would be found after a loss of power. */
  private names = new Map<string, Content>()
  private durableNames = new Map<string, Content>()
  private locked = false
  before: Before = () => {}
  /** Whether files can be cut at all. */
  truncating = true
  /** Bytes that all files together may have. */
  room = Infinity

  /** Loss of power: of each file what was synced is left, and of the rest as `keep` says. */
  crash(keep: (unsynced: number) => number = () => 0): void {
    this.names = new Map(this.durableNames)
    this.locked = false
    for (const content of this.names.values()) {
      const { bytes, durable } = content
      const kept = bytes.length > durable.length ? keep(bytes.length - durable.length) : 0
      const rest = bytes.subarray(durable.length, durable.length + kept)
      content.bytes = Buffer.concat([durable, rest])
      content.durable = content.bytes
    }
  }

  /** The process ended and the machine did not: all that was written is there. */
  kill(): void {
    this.locked = false
  }

  bytesOf(name: string): Buffer {
    const content = [...this.names].find(([path]) => path.endsWith(name))?.[1]
    if (content === undefined) throw new Error(`no file ${name}`)
    return content.bytes
  }
  files(): readonly string[] {
    return [...this.names.keys()].sort()
  }
  change(name: string, change: (bytes: Buffer) => Buffer): void {
    const content = [...this.names].find(([path]) => path.endsWith(name))?.[1]
    if (content === undefined) throw new Error(`no file ${name}`)
    content.bytes = change(Buffer.from(content.bytes))
    content.durable = content.bytes
  }

  async makeDirectory(): Promise<void> {}
  async list(path: string): Promise<readonly string[]> {
    return [...this.names.keys()]
      .filter((name) => name.startsWith(`${path}/`))
      .map((name) => name.slice(path.length + 1))
  }
  async read(path: string): Promise<Buffer> {
    const content = this.names.get(path)
    if (content === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
    return Buffer.from(content.bytes)
  }
  async rename(from: string, to: string): Promise<void> {
    this.before('rename', from, 0)
    const content = this.names.get(from)
    if (content === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
    this.names.delete(from)
    this.names.set(to, content)
  }
  async remove(path: string): Promise<void> {
    this.names.delete(path)
  }
  async syncDirectory(path: string): Promise<void> {
    this.before('syncDirectory', path, 0)
    this.durableNames = new Map(this.names)
  }
  async lock() {
    if (this.locked) throw new JournalError('JournalMustBeFree', 'the directory is in use')
    this.locked = true
    return { isHeld: () => this.locked, release: () => void (this.locked = false) }
  }

  private get size(): number {
    return [...this.names.values()].reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  async open(path: string): Promise<DiskFile> {
    this.before('open', path, 0)
    const content = this.names.get(path) ?? { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) }
    this.names.set(path, content)
    const put = (bytes: Uint8Array, position: number): void => {
      const length = Math.max(content.bytes.length, position + bytes.length)
      const next = Buffer.alloc(length)
      content.bytes.copy(next)
      next.set(bytes, position)
      content.bytes = next
    }
    return {
      write: async (bytes, position) => {
        const left = this.room - this.size
        const grows = position + bytes.length - content.bytes.length
        if (grows > left) {
          put(bytes.subarray(0, bytes.length - (grows - Math.max(left, 0))), position)
          throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
        }
        try {
          this.before('write', path, bytes.length)
        } catch (error) {
          // A failed write leaves something, or not.
          put(bytes.subarray(0, bytes.length >> 1), position)
          throw error
        }
        put(bytes, position)
      },
      sync: async () => {
        this.before('sync', path, 0)
        content.durable = content.bytes
      },
      truncate: async (length) => {
        this.before('truncate', path, length)
        if (!this.truncating) return
        content.bytes = content.bytes.subarray(0, length)
        if (content.durable.length > length) content.durable = content.bytes
      },
      close: async () => {},
    }
  }
}
