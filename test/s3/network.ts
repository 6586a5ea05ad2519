// A network in the hands of a test, on the way to an S3 server: each request meets the fate that the test gives it.

import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * - `pass`: goes through.
 * - `cut`: half of its body goes through, then both connections end.
 * - `lost`: is carried out, and the connection ends in place of the answer.
 * - `busy`: is answered with 503 SlowDown, and not carried out.
 * - `conflict`: is answered with 409 ConditionalRequestConflict, and not carried out.
 * - `hang`: is taken, and neither carried out nor answered.
 */
export type Fate = 'pass' | 'cut' | 'lost' | 'busy' | 'conflict' | 'hang'

export interface Seen {
  readonly method: string
  /** Path with the query. */
  readonly url: string
  readonly bytes: number
}

export class Network {
  /** Of all that went into it, in order. */
  readonly seen: Seen[] = []
  fate: (request: Seen) => Fate | Promise<Fate> = () => 'pass'
  readonly #port: number
  readonly #server = createServer((incoming, answer) => { void this.#handle(incoming, answer) })

  constructor (endpoint: string) {
    this.#port = Number(new URL(endpoint).port)
  }

  /** The endpoint to use in place of the server's own. */
  async listen (): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close (): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async #handle (incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const seen: Seen = { method: incoming.method ?? '', url: incoming.url ?? '', bytes: Number(incoming.headers['content-length'] ?? 0) }
    this.seen.push(seen)
    incoming.on('error', () => {}) // The connection ends with it.
    const fate = await this.fate(seen)
    switch (fate) {
      case 'hang': return
      case 'busy': return refuse(incoming, answer, 503, 'SlowDown')
      case 'conflict': return refuse(incoming, answer, 409, 'ConditionalRequestConflict')
      default: this.#forward(incoming, answer, fate, seen.bytes / 2)
    }
  }

  #forward (incoming: IncomingMessage, answer: ServerResponse, fate: 'pass' | 'cut' | 'lost', bytesMax: number): void {
    // No connection is kept: a server that was killed meanwhile must not be met on an old one.
    const outgoing = request({ host: '127.0.0.1', port: this.#port, method: incoming.method, path: incoming.url, headers: incoming.headers, agent: false })
    outgoing.on('response', response => {
      if (fate === 'lost') {
        response.resume().on('end', () => incoming.socket.destroy())
        return
      }
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    outgoing.on('error', () => incoming.socket.destroy())
    const stop = (): void => { outgoing.destroy() }
    incoming.socket.on('close', stop)
    outgoing.on('close', () => incoming.socket.off('close', stop))
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (fate === 'cut' && bytes >= bytesMax) {
        outgoing.destroy()
        incoming.socket.destroy()
        return
      }
      if (!outgoing.write(chunk)) {
        incoming.pause()
        outgoing.once('drain', () => incoming.resume())
      }
    })
    incoming.on('end', () => outgoing.end())
  }
}

function refuse (incoming: IncomingMessage, answer: ServerResponse, status: number, code: string): void {
  incoming.resume().on('end', () => {
    answer.writeHead(status, { 'content-type': 'application/xml' }).end(`<Error><Code>${code}</Code><Message>By order of the test.</Message></Error>`)
  })
}
