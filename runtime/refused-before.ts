// Which refused rows of an input are in `<topic>.rejected` already, though its checkpoint does not cover them: their
// append landed, the one of the rows and the checkpoint behind it did not. The source gives all of them again from the
// same checkpoint, perhaps in other chunks, for a file has grown meanwhile. They are known by a mark: the checkpoint of
// the producer on the rejected topic, which is durable together with them.
//
//   mark   { starts: [{ start, rows, digests }, …] }
//          start    names the checkpoint that a reading went on from
//          rows     read from there on until the last of the digests came
//          digests  of refused rows that are there; one that came n times stands there n times
//
// The second start is the checkpoint that is about to become durable, where rows of a longer chunk are still to come.

import { createHash } from 'node:crypto'
import type { Json } from './plugin.ts'

/** Of a mark: about 80 KB. Rows beyond them may be rejected twice after a crash. */
const DIGESTS_MAX = 5000

interface Start {
  readonly start: string
  readonly rows: number
  readonly digests: readonly string[]
}

export interface Arrived {
  /** Which of the digests are new, by their place. */
  readonly fresh: readonly number[]
  /** To be saved with them; undefined: nothing has changed. */
  readonly mark: Json | undefined
}

/** For one life of an input. */
export class RefusedBefore {
  #start: Start
  /** Of the life before, not come again yet. */
  readonly #awaited = new Map<string, number>()
  /** Rows that may pass until they have all come. */
  #awaitedRows = 0
  #read = 0

  /** `checkpoint`: that the life goes on from; `mark`: what was saved last. */
  constructor (checkpoint: Json | undefined, mark: Json | undefined) {
    const start = named(checkpoint)
    const saved = (mark as { readonly starts?: readonly Start[] } | undefined)?.starts?.find(known => known.start === start)
    this.#start = saved ?? { start, rows: 0, digests: [] }
    for (const digest of this.#start.digests) this.#awaited.set(digest, (this.#awaited.get(digest) ?? 0) + 1)
    this.#awaitedRows = this.#start.rows
  }

  /** A chunk of `rows` rows, the refused ones included. Without a checkpoint, its refused rows leave no mark: not every source gives them again. */
  arrive (digests: readonly string[], { rows, checkpoint }: { readonly rows: number, readonly checkpoint: Json | undefined }): Arrived {
    const fresh: number[] = []
    for (const [i, digest] of digests.entries()) if (!this.#meet(digest)) fresh.push(i)
    this.#read += rows
    this.#awaitedRows -= rows
    if (this.#awaitedRows <= 0) this.#awaited.clear()
    if (checkpoint === undefined) return { fresh, mark: undefined }

    const { start, digests: before } = this.#start
    const known = [...before, ...fresh.map(i => digests[i] as string)].slice(0, DIGESTS_MAX)
    this.#start = { start, rows: Math.max(this.#start.rows, this.#read), digests: known }
    const next = this.#next(checkpoint)
    if (fresh.length === 0 && next.digests.length === 0) return { fresh, mark: undefined }
    return { fresh, mark: { starts: next.digests.length === 0 ? [this.#start] : [this.#start, next] } as unknown as Json }
  }

  /** The checkpoint has become durable: readings go on from there. */
  pass (checkpoint: Json): void {
    this.#start = this.#next(checkpoint)
    this.#read = 0
  }

  #next (checkpoint: Json): Start {
    const digests = [...this.#awaited].flatMap(([digest, count]) => new Array<string>(count).fill(digest))
    return { start: named(checkpoint), rows: Math.max(0, this.#awaitedRows), digests }
  }

  #meet (digest: string): boolean {
    const count = this.#awaited.get(digest) ?? 0
    if (count === 1) this.#awaited.delete(digest)
    else if (count > 1) this.#awaited.set(digest, count - 1)
    return count > 0
  }
}

function named (checkpoint: Json | undefined): string {
  return checkpoint === undefined ? '' : createHash('sha256').update(JSON.stringify(checkpoint)).digest('base64url').slice(0, 22)
}
