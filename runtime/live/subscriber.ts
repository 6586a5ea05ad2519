// One subscriber: what was before, then what comes, for as long as it may, at the pace that it can take.

import { PlatformError } from '../errors.ts'
import { offsetsText, parsePosition, positionText } from './position.ts'
import { HEARTBEAT_MS } from './limits.ts'
import type { Principal } from '../access/principal.ts'
import type { Feed, FeedRows, Member } from './feed.ts'
import type { LiveLimits } from './limits.ts'
import type { LivePosition } from './position.ts'
import type { Subscription } from './subscription.ts'

/** Why a stream ends; `resumable`: the same again, with its last id, goes on where it was. */
export interface Ending {
  readonly code: 'SLOW' | 'ENDED' | 'UNAUTHORIZED' | 'QUOTA_EXCEEDED' | 'FAILED'
  readonly detail: string
  readonly resumable: boolean
}

/** A connection that carries a stream in the frames of its protocol. */
export interface Pipe {
  /** Bytes that the other end has not taken yet. */
  readonly waitingBytes: number
  rows (rows: FeedRows): void
  /** `live`: what was before has been sent. */
  heartbeat (beat: { readonly at: string, readonly rows: number, readonly live: boolean }): void
  end (ending: Ending, at: string): void
  /** Resolves when little waits, or when the connection has ended. */
  drained (): Promise<void>
}

/** What comes before the live rows. */
export interface Before {
  /** Rows from the database, in pieces; ends where the topics go on. */
  readonly pieces: AsyncIterable<{ readonly rows: number, readonly body: Uint8Array, readonly at: LivePosition }>
  /** Where the topics go on. */
  readonly from: string
}

interface Parts {
  readonly principal: Principal
  readonly subscription: Subscription
  readonly pipe: Pipe
  readonly limits: LiveLimits
  /** Throws a PlatformError where the quota is used up. */
  takeRows (rows: number): void
  onEnd (): void
}

export class Subscriber implements Member {
  readonly #parts: Parts
  readonly #end = new AbortController()
  #leave: (() => void) | undefined
  #at: string
  #rows = 0
  #live = false
  #beatAt = 0

  constructor (parts: Parts) {
    this.#parts = parts
    const { resume } = parts.subscription
    this.#at = resume === undefined ? '' : positionText(resume)
  }

  get principal (): Principal {
    return this.#parts.principal
  }

  get ended (): AbortSignal {
    return this.#end.signal
  }

  /** Never throws; what goes wrong ends the stream with the reason. */
  async run (feed: Feed, before: Before | undefined): Promise<void> {
    try {
      for await (const { rows, body, at } of before?.pieces ?? []) {
        if (this.#end.signal.aborted) return
        this.rows({ rows, body, at: positionText(at), frames: new Map() }, undefined)
        await this.#parts.pipe.drained()
      }
      if (this.#end.signal.aborted) return
      if (before !== undefined) this.#at = before.from
      this.#leave = feed.join(this, this.#parts.subscription.selection, before?.from)
    } catch (error) {
      // The database's own words may name what is not granted.
      this.finish({ code: 'FAILED', detail: error instanceof PlatformError ? error.message : 'The rows before could not be read', resumable: true })
    }
  }

  rows (rows: FeedRows, taken: (() => void) | undefined): void {
    if (this.#end.signal.aborted) return
    const { pipe, limits, takeRows } = this.#parts
    try {
      takeRows(rows.rows)
    } catch (error) {
      return this.finish({ code: 'QUOTA_EXCEEDED', detail: error instanceof Error ? error.message : String(error), resumable: true })
    }
    this.#rows += rows.rows
    this.#at = rows.at
    pipe.rows(rows)
    if (taken !== undefined) pipe.drained().then(taken, taken)
    else if (pipe.waitingBytes > limits.waitingBytesMax) this.finish({ code: 'SLOW', detail: `More than ${limits.waitingBytesMax / 2 ** 20} MiB wait for this connection: it takes rows more slowly than they come`, resumable: true })
  }

  joined (at: string): void {
    this.#live = true
    this.at(at)
    this.#beat()
  }

  at (at: string): void {
    this.#at = offsetsText(parsePosition(at).offsets)
  }

  cut (reason: string): void {
    this.finish({ code: 'ENDED', detail: reason, resumable: true })
  }

  /** Called a few times a second. */
  look (now: number): void {
    if (!this.#parts.principal.isValid()) this.finish({ code: 'UNAUTHORIZED', detail: 'What you may read has changed, or the token or session has ended', resumable: false })
    else if (now - this.#beatAt >= HEARTBEAT_MS) this.#beat()
  }

  /** Does nothing the second time. */
  finish (ending: Ending | undefined): void {
    if (this.#end.signal.aborted) return
    this.#end.abort()
    this.#leave?.()
    if (ending !== undefined) this.#parts.pipe.end(ending, this.#at)
    this.#parts.onEnd()
  }

  #beat (): void {
    this.#beatAt = performance.now()
    this.#parts.pipe.heartbeat({ at: this.#at, rows: this.#rows, live: this.#live })
  }
}
