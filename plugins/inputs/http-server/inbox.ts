import type { Context, Row } from '../../../runtime/plugin.ts'
import type { HttpServerConfig } from './options.ts'

/** One request whose rows wait for the topic. */
export interface Post {
  readonly rows: readonly Row[]
  readonly bytes: number
  /** Durable: 200. Otherwise 503: the sender has to send the rows again. */
  settle (durable: boolean): void
}

type Limits = Pick<HttpServerConfig, 'pending_rows_max' | 'pending_bytes_max' | 'body_bytes_max'>

/** Posts are taken together up to this size: the rows of a batch are several times as large in memory. */
const takenBytes = 8 * 2 ** 20

/**
 * Posts between the listener and the topic. While one batch is made durable, others wait here and become the next
 * batch; that is all the batching there is, so a single post never waits for company.
 */
export class Inbox {
  /** Bytes of bodies in memory: those that wait and those that are being received. */
  bytes = 0
  readonly #limits: Limits
  readonly #context: Context
  #posts: Post[] = []
  // Of posts that wait and of those in the batch that is being made durable.
  #rows = 0
  #saturated = false
  #wake: (() => void) | undefined

  constructor (limits: Limits, context: Context) {
    this.#limits = limits
    this.#context = context
  }

  /** Whether that much more has to be refused for now. One post is never too much for an empty inbox. */
  isFull (rows: number, bytes: number): boolean {
    const { pending_rows_max: rowsMax, pending_bytes_max: bytesMax, body_bytes_max: bodyBytesMax } = this.#limits
    const full = (this.#rows > 0 && this.#rows + rows > rowsMax) || this.bytes + bytes > Math.max(bytesMax, bodyBytesMax)
    if (full) {
      this.#context.metrics.count('posts_refused')
      this.#report(true)
    }
    return full
  }

  add (post: Post): void {
    this.#posts.push(post)
    this.#rows += post.rows.length
    this.#wake?.()
  }

  /** A sender that went away before its rows were taken will send them again. */
  remove (post: Post): void {
    const at = this.#posts.indexOf(post)
    if (at === -1) return
    this.#posts.splice(at, 1)
    this.#rows -= post.rows.length
  }

  /** The posts that wait, up to `rows` rows and 8 MiB but one at least; none: stopped. */
  async take (rows: number, signal: AbortSignal): Promise<Post[]> {
    if (this.#posts.length === 0 && !signal.aborted) await this.#woken(signal)
    let count = 0
    for (let taken = 0, bytes = 0; count < this.#posts.length; count++) {
      const post = this.#posts[count] as Post
      taken += post.rows.length
      bytes += post.bytes
      if (count > 0 && (taken > rows || bytes > takenBytes)) break
    }
    return this.#posts.splice(0, count)
  }

  settle (posts: readonly Post[], durable: boolean): void {
    for (const post of posts) {
      this.#rows -= post.rows.length
      post.settle(durable)
    }
    if (durable) this.#report(false)
  }

  /** Refuses all that still wait. */
  clear (): void {
    this.settle(this.#posts.splice(0), false)
  }

  #report (saturated: boolean): void {
    if (saturated === this.#saturated) return
    this.#saturated = saturated
    this.#context.health(saturated
      ? { ok: false, state: 'saturated', reason: 'More is posted than the topic takes; senders are told to wait. Post less, or see why the topic is slow.' }
      : { ok: true, state: 'listening' })
  }

  #woken (signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake)
        this.#wake = undefined
        resolve()
      }
      this.#wake = wake
      signal.addEventListener('abort', wake)
    })
  }
}
