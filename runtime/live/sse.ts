// A live stream as server-sent events.
//
//   event: row         data: JSON array of rows         id: resumes behind them
//   event: heartbeat   data: {"rows":1204,"live":true}  id: likewise; rows so far; live: what was before has been sent
//   event: end         data: {"code":"SLOW","detail":"…","resumable":true}
//
// A browser connects again by itself with the last id.

import type { ServerResponse } from 'node:http'
import type { FeedRows } from './feed.ts'
import type { Ending, Pipe } from './subscriber.ts'

/** How long a browser waits before it connects again. */
const RETRY_MS = 2000
/** What was refused to one that is too slow cannot be sent to it either; the socket goes. */
const END_MS_MAX = 2000

export class SsePipe implements Pipe {
  readonly #response: ServerResponse

  /** The response has its headers. */
  constructor (response: ServerResponse) {
    this.#response = response
    response.write(`retry: ${RETRY_MS}\n\n`)
  }

  get waitingBytes (): number {
    return this.#response.writableLength
  }

  rows ({ at, body, frames }: FeedRows): void {
    let frame = frames.get('sse')
    if (frame === undefined) frames.set('sse', frame = Buffer.concat([Buffer.from(`id: ${at}\nevent: row\ndata: `), body, Buffer.from('\n\n')]))
    this.#response.write(frame)
  }

  heartbeat ({ at, rows, live }: { readonly at: string, readonly rows: number, readonly live: boolean }): void {
    this.#write('heartbeat', { rows, live }, at)
  }

  end (ending: Ending, at: string): void {
    this.#write('end', ending, at)
    this.#response.end()
    const late = setTimeout(() => this.#response.destroy(), END_MS_MAX)
    this.#response.once('close', () => clearTimeout(late))
  }

  async drained (): Promise<void> {
    if (!this.#response.writableNeedDrain || this.#response.destroyed) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = (): void => resolve()
    this.#response.once('drain', done).once('close', done)
    await promise
    this.#response.off('drain', done).off('close', done)
  }

  #write (event: string, data: object, at: string): void {
    this.#response.write(`${at === '' ? '' : `id: ${at}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }
}
