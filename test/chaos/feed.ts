// The source of a run: numbered rows over HTTP, at a steady rate, from any number on. It runs in the harness's process,
// and what it is about to send stands in the ledger first.
//
//   GET /rows?from=1234      a JSON array of rows a line, as they come; ends when the feed has ended

import { appendFileSync, fsyncSync, openSync, closeSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isPoison, rowOf } from './rows.ts'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const TICK_MS = 50
const ROWS_A_LINE = 250

export class Feed {
  readonly #ledger: number
  readonly #rate: number
  readonly #bursts: Array<readonly [number, number]> = []
  readonly #server = createServer((request, response) => {
    const from = Number(new URL(request.url ?? '/', 'http://feed').searchParams.get('from'))
    // A connection that the platform or a fault has ended is made anew by the platform.
    this.#send(from, response).catch(() => response.destroy())
  })

  #made = 0
  #ended = false
  #timer: NodeJS.Timeout | undefined

  /** `ledger`: a file that gets a line for what is sent: `rows <from> <to>` or `poison <from> <to>`. */
  constructor (ledger: string, rate: number) {
    this.#ledger = openSync(ledger, 'a')
    this.#rate = rate
  }

  /** Rows so far; they have the numbers below. */
  get made (): number {
    return this.#made
  }

  isPoison (n: number): boolean {
    return isPoison(n, this.#bursts)
  }

  /** How many rows below `n` have to arrive. */
  goodBelow (n: number): number {
    let good = 0
    for (let i = 0; i < n; i++) if (!this.isPoison(i)) good++
    return good
  }

  /** The address of the rows. */
  async listen (): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    let last = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      const rows = Math.floor((now - last) * this.#rate / 1000)
      last += rows / this.#rate * 1000
      this.#make(rows)
    }, TICK_MS)
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/rows`
  }

  /** The next rows are all poison. */
  poison (rows: number): void {
    this.#bursts.push([this.#made, this.#made + rows])
    appendFileSync(this.#ledger, `poison ${this.#made} ${this.#made + rows}\n`)
  }

  /** Connections end, and the platform has to make new ones. */
  cut (): void {
    this.#server.closeAllConnections()
  }

  /** No more rows. */
  end (): void {
    clearInterval(this.#timer)
    if (!this.#ended) fsyncSync(this.#ledger)
    this.#ended = true
  }

  async close (): Promise<void> {
    this.end()
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
    closeSync(this.#ledger)
  }

  #make (rows: number): void {
    if (rows === 0) return
    appendFileSync(this.#ledger, `rows ${this.#made} ${this.#made + rows}\n`)
    this.#made += rows
  }

  async #send (from: number, response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    for (let next = from; !response.destroyed && !(this.#ended && next >= this.#made);) {
      if (next >= this.#made) {
        await sleep(TICK_MS)
        continue
      }
      const to = Math.min(this.#made, next + ROWS_A_LINE)
      const rows = Array.from({ length: to - next }, (_, i) => rowOf(next + i, this.isPoison(next + i)))
      next = to
      if (!response.write(`${JSON.stringify(rows)}\n`)) await once(response, 'drain', { signal: gone.signal })
    }
    response.end()
  }
}
