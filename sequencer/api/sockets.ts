/** The sockets of the members' port: so many in all, so many of one address, and members' stay. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Limits } from './limits.ts'

export class Sockets {
  private readonly limits: Pick<Limits, 'sockets' | 'socketsPerAddress'>
  /** The oldest first; over those no signed request has come. */
  private readonly strangers = new Set<Socket>()
  private readonly members = new Set<Socket>()
  private readonly addresses = new Map<string, number>()

  constructor(limits: Pick<Limits, 'sockets' | 'socketsPerAddress'>) {
    this.limits = limits
  }

  get open(): number {
    return this.strangers.size + this.members.size
  }

  /** `isBehindProxy`: all come from one address, which says nothing of who they are. */
  guard(server: Server, isBehindProxy: boolean): void {
    server.on('connection', (socket) => {
      const address = isBehindProxy ? null : (socket.remoteAddress ?? '')
      if (!this.hasRoom(address)) return void socket.destroy()
      this.strangers.add(socket)
      if (address !== null) this.addresses.set(address, (this.addresses.get(address) ?? 0) + 1)
      socket.once('close', () => {
        this.strangers.delete(socket)
        this.members.delete(socket)
        if (address === null) return
        const left = (this.addresses.get(address) ?? 1) - 1
        if (left === 0) this.addresses.delete(address)
        else this.addresses.set(address, left)
      })
    })
  }

  /** A signed request has come over it: no stranger takes its place any more. */
  known(socket: Socket): void {
    if (this.strangers.delete(socket)) this.members.add(socket)
  }

  /** Whoever is new takes the place of the stranger who has been here longest, never a member's. */
  private hasRoom(address: string | null): boolean {
    if (address !== null && (this.addresses.get(address) ?? 0) >= this.limits.socketsPerAddress)
      return false
    if (this.open < this.limits.sockets) return true
    const [oldest] = this.strangers
    if (oldest === undefined) return false
    // At once: its 'close' comes later.
    this.strangers.delete(oldest)
    oldest.destroy()
    return true
  }
}
