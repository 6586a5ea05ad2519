// The rows of the warehouse for a statement on the streaming database, where both are servers of their own. The engine
// fetches them from an address on this process that holds for one statement; the process fetches them from the
// warehouse, in the engine's own format, and passes them on as fast as they are taken. So no password stands in SQL.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { ask } from '../clickhouse/ask.ts'
import type { Statement } from '../clickhouse/ask.ts'
import { parseAddress } from '../clickhouse/address.ts'
import type { Platform } from '../platform.ts'

/** Settings of a statement that reads from the relay: asked once, in one piece. */
export const relaySettings = { http_max_tries: '1', max_download_threads: '1' } as const

interface Offered {
  readonly address: string
  readonly statement: Statement
}

export class Relay {
  readonly #offered = new Map<string, Offered>()
  readonly #listening: Promise<Server>
  readonly #name: string

  /** `host` is where it listens, `name` under which name the engine reaches it. */
  constructor ({ host, name }: { readonly host: string, readonly name: string }) {
    this.#name = name
    const server = createServer((request, response) => { void this.#answer(request, response) })
    // It holds nothing up when the platform ends.
    server.unref()
    server.listen(0, host)
    this.#listening = once(server, 'listening').then(() => server)
  }

  /** Offers the answer of a statement; resolves with its address, which holds until `withdraw`. */
  async offer (address: string, statement: Statement): Promise<{ readonly url: string, withdraw (): void }> {
    const server = await this.#listening
    const path = `/${randomBytes(24).toString('hex')}`
    this.#offered.set(path, { address, statement })
    return { url: `http://${this.#name}:${(server.address() as AddressInfo).port}${path}`, withdraw: () => { this.#offered.delete(path) } }
  }

  async close (): Promise<void> {
    const server = await this.#listening
    server.closeAllConnections()
    server.close()
  }

  async #answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const offered = this.#offered.get(request.url ?? '')
    // The engine asks what it will get before it gets it.
    if (offered === undefined || request.method === 'HEAD') {
      response.writeHead(offered === undefined ? 404 : 200).end()
      return
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    try {
      const { body } = await ask(offered.address, { ...offered.statement, signal: AbortSignal.any([gone.signal, offered.statement.signal]) })
      await pipeline(body, response)
    } catch (error) {
      // The engine shows the text in its own error; a cut one tells it that the rows are not whole.
      if (response.headersSent) response.destroy()
      else response.writeHead(500).end(error instanceof Error ? error.message : String(error))
    }
  }
}

const known = new WeakMap<object, Relay>()

/** The one of a platform, told by its store. An engine on this machine reaches it by loopback, and nobody else does. */
export function relayOf ({ store, clickhouse, config }: Pick<Platform, 'store' | 'clickhouse' | 'config'>): Relay {
  const found = known.get(store)
  if (found !== undefined) return found
  const engine = URL.parse(parseAddress(clickhouse ?? '').urls[0] ?? '')?.hostname ?? ''
  const near = /^(?:127\.|localhost$|\[::1\]$)/.test(engine)
  const relay = new Relay(near ? { host: '127.0.0.1', name: '127.0.0.1' } : { host: config.host, name: URL.parse(config.advertisedUrl)?.hostname ?? config.host })
  known.set(store, relay)
  return relay
}

/** Ends the relay of a platform, if there is one. */
export async function closeRelay ({ store }: Pick<Platform, 'store'>): Promise<void> {
  const relay = known.get(store)
  known.delete(store)
  await relay?.close()
}
