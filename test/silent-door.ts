/** A door to a server that can fall silent: connections stay open, and nothing comes through any more. */
import { connect, createServer, type Socket } from 'node:net'

export type SilentDoor = {
  readonly port: number
  /** As when the host behind it is gone, or the network is cut. */
  readonly fallSilent: () => void
  /** What is connected from now on gets through; what was silent stays so. */
  readonly speak: () => void
  readonly close: () => Promise<void>
}

export async function openSilentDoor(to: number): Promise<SilentDoor> {
  const sockets = new Set<Socket>()
  let isSilent = false
  const server = createServer((near) => {
    sockets.add(near)
    near.on('error', () => {})
    if (isSilent) return void near.pause()
    const far = connect(to, '127.0.0.1')
    sockets.add(far)
    far.on('error', () => {})
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    fallSilent: () => {
      isSilent = true
      for (const socket of sockets) {
        socket.unpipe()
        socket.pause()
      }
    },
    speak: () => (isSilent = false),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}
