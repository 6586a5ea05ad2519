import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/**
 * - `pass`: hands everything on.
 * - `refuse`: ends every connection at once.
 * - `hang`: takes requests and hands nothing on.
 * - `hold`: takes requests and hands them on when the mode changes.
 * - `deaf`: hands requests on and ends the connection at the first byte of an answer.
 */
export type Mode = 'pass' | 'refuse' | 'hang' | 'hold' | 'deaf'

/** A network in the hands of a test, on the way to one server. */
export class Proxy {
  mode: Mode = 'pass'
  readonly #target: URL
  readonly #server = createServer(socket => this.#connected(socket))
  readonly #sockets = new Set<Socket>()
  readonly #held: Array<() => void> = []

  constructor (url: string) {
    this.#target = new URL(url)
  }

  async listen (): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const url = new URL(this.#target)
    url.port = String((this.#server.address() as AddressInfo).port)
    return url.href
  }

  /** From now on; connections that are open feel it too. */
  set (mode: Mode): void {
    const held = this.mode === 'hold'
    this.mode = mode
    if (held) for (const handOn of this.#held.splice(0)) handOn()
    else if (mode !== 'deaf' && mode !== 'hold') this.#drop()
  }

  async close (): Promise<void> {
    this.#drop()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #drop (): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #connected (socket: Socket): void {
    this.#keep(socket)
    if (this.mode === 'refuse') socket.destroy()
    if (this.mode === 'refuse' || this.mode === 'hang') return
    const server = this.#keep(connect(Number(this.#target.port), this.#target.hostname))
    socket.on('data', bytes => {
      if (this.mode === 'hold') this.#held.push(() => server.write(bytes))
      else server.write(bytes)
    })
    server.on('data', bytes => {
      if (this.mode === 'deaf') socket.destroy()
      else socket.write(bytes)
    })
    socket.on('close', () => server.destroy())
    server.on('close', () => socket.destroy())
  }

  #keep (socket: Socket): Socket {
    this.#sockets.add(socket)
    socket.on('error', () => {}) // It closes next.
    socket.on('close', () => this.#sockets.delete(socket))
    return socket
  }
}
