import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/**
 * - `pass`: hands everything on.
 * - `refuse`: ends every connection at once.
 * - `hang`: takes requests and hands nothing on.
 * - `deaf`: hands requests on and ends the connection at the first byte of an answer.
 */
export type Mode = 'pass' | 'refuse' | 'hang' | 'deaf'

/** A network in the hands of a test, on the way to one server. */
export class Proxy {
  mode: Mode = 'pass'
  readonly #target: URL
  readonly #server = createServer(socket => this.#connected(socket))
  readonly #sockets = new Set<Socket>()

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
    this.mode = mode
    if (mode !== 'deaf') this.#drop()
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
    socket.on('data', bytes => server.write(bytes))
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
