/** The sockets of the members' port: so many in all, so many of one address, and members' stay. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Limits } from './limits.ts'
import { networkOf } from './network.ts'
import { Places } from './places.ts'

type SocketLimits = Pick<Limits, 'sockets' | 'socketsPerAddress' | 'socketsPerAccount'>

export class Sockets {
  private readonly limits: SocketLimits
  /** The oldest first; over those no signed request has come, or too many of the same account have. */
  private readonly strangers = new Set<Socket>()
  /** With what gives the account's place back. */
  private readonly members = new Map<Socket, () => void>()
  private readonly addresses = new Places<string>()
  private readonly accounts = new Places<number>()

  constructor(limits: SocketLimits) {
    this.limits = limits
  }

  get open(): number {
    return this.strangers.size + this.members.size
  }

  /** `isBehindProxy`: all come from one address, which says nothing of who they are. */
  guard(server: Server, isBehindProxy: boolean): void {
    server.on('connection', (socket) => {
      // Node lets go of a socket that asks for a tunnel: nobody else would hear that its peer is gone, and
      // an error that nobody hears ends the house.
      socket.on('error', () => {})
      const address = isBehindProxy ? null : networkOf(socket.remoteAddress ?? '')
      if (!this.hasRoom(address)) return void socket.destroy()
      this.strangers.add(socket)
      const leave = address === null ? null : this.addresses.take(address)
      socket.once('close', () => {
        this.strangers.delete(socket)
        this.members.get(socket)?.()
        this.members.delete(socket)
        leave?.()
      })
    })
  }

  /** The account's signed request has come over it: no stranger takes its place any more. */
  known(socket: Socket, account: number): void {
    if (this.accounts.takenBy(account) >= this.limits.socketsPerAccount) return
    if (this.strangers.delete(socket)) this.members.set(socket, this.accounts.take(account))
  }

  /** Whoever is new takes the place of the stranger who has been here longest, never a member's. */
  private hasRoom(address: string | null): boolean {
    if (address !== null && this.addresses.takenBy(address) >= this.limits.socketsPerAddress)
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
