// Server-sent events, and the same as JSON lines: what a browser, curl and the command line follow.
//
//   event: line        one value as JSON, with an id where it has one
//   event: heartbeat   every ten seconds while there is nothing to say, so that nobody between takes the connection for dead
//   event: end         nothing more will come
//
// A stream ends when its client has gone, when whoever asked may not ask any more, or with its source. A client that reads
// slowly holds its source back: nothing is kept for it but one value.

import { setTimeout as sleep } from 'node:timers/promises'
import { Readable } from 'node:stream'
import { PlatformError } from '../errors.ts'
import { principalOf } from './guard.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'

const HEARTBEAT_MS = 10_000
/** How soon a stream ends whose principal is no longer valid. */
const LOOK_MS = 1000

export interface Followed {
  /** Of the event. */
  readonly event: string
  readonly id?: string
  readonly value: unknown
}

/** Streams of one kind that may be open at a time. */
export class Places {
  readonly #max: number
  #taken = 0

  constructor (max: number) {
    this.#max = max
  }

  /** Throws TOO_MANY_REQUESTS where none is free; returns what gives it back, once. */
  take (): () => void {
    if (this.#taken >= this.#max) throw new PlatformError('TOO_MANY_REQUESTS', `${this.#max} streams are open already`, { remedy: 'Close one, or try again later.' })
    this.#taken++
    let given = false
    return () => {
      if (!given) this.#taken--
      given = true
    }
  }
}

/** The response schema of a route that answers so. */
export const eventStreamResponse = {
  description: 'Server-sent events, or JSON lines where the request does not accept text/event-stream',
  content: { 'text/event-stream': { schema: { type: 'string' } }, 'application/x-ndjson': { schema: { type: 'string' } } }
}

/** Whether the request asks for server-sent events. */
export function acceptsEvents ({ headers: { accept = '' } }: FastifyRequest): boolean {
  return /\btext\/event-stream\b/.test(accept)
}

/** Answers with what `source` gives until one of the ends above. */
export function sendEvents (request: FastifyRequest, reply: FastifyReply, places: Places, source: (signal: AbortSignal) => AsyncIterable<Followed>, events = acceptsEvents(request)): FastifyReply {
  const giveBack = places.take()
  const left = new AbortController()
  reply.raw.once('close', () => {
    left.abort()
    giveBack()
  })
  const { isValid } = principalOf(request)
  const body = Readable.from(framed(source(left.signal), { events, isValid, left }), { objectMode: false })
  return reply.type(events ? 'text/event-stream; charset=utf-8' : 'application/x-ndjson; charset=utf-8').header('x-accel-buffering', 'no').send(body)
}

async function * framed (source: AsyncIterable<Followed>, { events, isValid, left }: { readonly events: boolean, readonly isValid: () => boolean, readonly left: AbortController }): AsyncGenerator<string, void, void> {
  const values = source[Symbol.asyncIterator]()
  let next: Promise<IteratorResult<Followed>> | undefined
  let said = performance.now()
  // The headers go out with the first bytes, and readers of lines skip an empty one.
  yield events ? ': follows\n\n' : '\n'
  try {
    while (isValid()) {
      next ??= values.next()
      const timer = new AbortController()
      const found = await Promise.race([next, sleep(LOOK_MS, undefined, { signal: timer.signal }).catch(() => undefined)])
      timer.abort()
      if (found === undefined) {
        if (performance.now() - said < HEARTBEAT_MS) continue
        yield events ? 'event: heartbeat\ndata: {}\n\n' : '\n'
      } else if (found.done === true) {
        if (events) yield 'event: end\ndata: {}\n\n'
        return
      } else {
        next = undefined
        yield events ? frameOf(found.value) : `${JSON.stringify(found.value.value)}\n`
      }
      said = performance.now()
    }
  } finally {
    left.abort()
    next?.catch(() => { /* the client has gone: nobody waits for it */ })
    void values.return?.().catch(() => { /* likewise */ })
  }
}

function frameOf ({ event, id, value }: Followed): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(value)}\n\n`
}
