// A destination outside the platform that takes rows over HTTP, and fails when it is told to.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * - `take`: stores and answers; `slow`: after a while.
 * - `refuse`: answers 500 and stores nothing. `hang`: neither answers nor stores.
 * - `lose`: stores, and the connection ends in place of an answer. `cut`: the connection ends within the body.
 */
export type Mood = 'take' | 'slow' | 'refuse' | 'hang' | 'lose' | 'cut'

interface Posted { readonly n: number, readonly symbol: string }

const SLOW_MS = 400

export class Webhook {
  mood: Mood = 'take'
  /** How often each row was stored, by its number. */
  readonly times = new Map<number, number>()
  /** Rows that came again although their request had another key. */
  readonly doubledBeyondKeys = new Set<number>()
  /** Keys that came again with another body. */
  readonly changedKeys: string[] = []
  /** Rows that came for the first time behind a later one of their symbol. */
  readonly outOfOrder: number[] = []
  readonly #bodies = new Map<string, string>()
  readonly #lastOf = new Map<string, number>()
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch(() => response.destroy())
  })

  async listen (): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/rows`
  }

  /** Requests that hang are cut. */
  recover (): void {
    this.mood = 'take'
    this.#server.closeAllConnections()
  }

  async close (): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async #answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { mood } = this
    if (mood === 'hang') return
    if (mood === 'cut') {
      await once(request, 'data')
      request.socket.destroy()
      return
    }
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += String(chunk)
    if (mood === 'refuse') {
      response.writeHead(500).end('told to refuse')
      return
    }
    if (mood === 'slow') await sleep(SLOW_MS)
    this.#store(String(request.headers['idempotency-key']), text)
    if (mood === 'lose') request.socket.destroy()
    else response.writeHead(200).end()
  }

  #store (key: string, text: string): void {
    const hash = createHash('sha256').update(text).digest('base64')
    const before = this.#bodies.get(key)
    if (before !== undefined && before !== hash) this.changedKeys.push(key)
    this.#bodies.set(key, hash)
    for (const { n, symbol } of JSON.parse(text) as Posted[]) {
      const times = this.times.get(n) ?? 0
      this.times.set(n, times + 1)
      if (times > 0) {
        if (before === undefined) this.doubledBeyondKeys.add(n)
        continue
      }
      if (n < (this.#lastOf.get(symbol) ?? -1)) this.outOfOrder.push(n)
      this.#lastOf.set(symbol, n)
    }
  }
}
