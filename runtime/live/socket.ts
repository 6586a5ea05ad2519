// Live streams over one WebSocket. All messages are JSON.
//
//   to us      {"subscribe":{"id":"a","dataset":"quotes","symbols":["AAPL"],"fields":…,"where":…,"start":…,"conflate":…,"resume":…}}
//              {"unsubscribe":"a"}
//   from us    {"type":"rows","id":"a","at":"…","rows":[…]}           at: give it as resume to go on behind the rows
//              {"type":"heartbeat","id":"a","at":"…","rows":1204,"live":true}
//              {"type":"end","id":"a","at":"…","code":"…","detail":"…","resumable":true}
//              {"type":"error","id":"a","code":"…","detail":"…"}

import { Ajv } from 'ajv'
import { PlatformError } from '../errors.ts'
import type { WebSocket } from 'ws'
import type { Principal } from '../access/principal.ts'
import type { FeedRows } from './feed.ts'
import type { LiveHub } from './hub.ts'
import type { Ending, Pipe, Subscriber } from './subscriber.ts'
import type { LiveAsk } from './subscription.ts'

/** Of one connection. */
const SUBSCRIPTIONS_MAX = 50
/** Messages of one connection that are being answered. */
const PENDING_MAX = 100
/** A connection drains when less than this waits. */
const LITTLE_BYTES = 64 * 1024
const LOOK_MS = 20

interface Message {
  readonly subscribe?: LiveAsk & { readonly id?: string }
  readonly unsubscribe?: string
}

const text = { type: 'string', maxLength: 100_000 }
const texts = { type: 'array', maxItems: 2000, items: { type: 'string', maxLength: 200 } }
const id = { type: 'string', minLength: 1, maxLength: 64 }
const isMessage = new Ajv().compile({
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  properties: {
    subscribe: { type: 'object', additionalProperties: false, required: ['dataset'], properties: { id, dataset: { type: 'string', minLength: 1, maxLength: 128 }, symbols: texts, fields: texts, where: {}, start: text, conflate: text, resume: text } },
    unsubscribe: id
  }
})

/** Serves a connection until it closes. */
export function serveSocket (socket: WebSocket, hub: LiveHub, principal: Principal): void {
  const subscriptions = new Map<string, Subscriber | undefined>()
  let pending = 0
  const send = (message: object): void => socket.send(JSON.stringify(message))
  const fail = (error: unknown, id: string): void => {
    const { code, message } = error instanceof PlatformError ? error : { code: 'INTERNAL', message: 'Something went wrong inside' }
    send({ type: 'error', id, code, detail: message })
  }
  const subscribe = async ({ id: given, ...ask }: LiveAsk & { readonly id?: string }): Promise<void> => {
    const id = given ?? ask.dataset
    if (subscriptions.has(id)) return fail(new PlatformError('REQUEST_INVALID', `There is a subscription "${id}" already`), id)
    if (subscriptions.size >= SUBSCRIPTIONS_MAX) return fail(new PlatformError('TOO_MANY_REQUESTS', `A connection has ${SUBSCRIPTIONS_MAX} subscriptions at most`), id)
    subscriptions.set(id, undefined)
    try {
      const subscriber = await hub.subscribe(principal, ask, () => new SocketPipe(socket, id))
      subscriber.ended.addEventListener('abort', () => subscriptions.delete(id))
      // It has left meanwhile.
      if (socket.readyState !== socket.OPEN || !subscriptions.has(id)) return subscriber.finish(undefined)
      if (!subscriber.ended.aborted) subscriptions.set(id, subscriber)
      else subscriptions.delete(id)
    } catch (error) {
      subscriptions.delete(id)
      fail(error, id)
    }
  }
  socket.on('message', (data: Buffer) => {
    const message = parse(data)
    if (message === undefined) return fail(new PlatformError('REQUEST_INVALID', 'The message is not understood', { remedy: 'Send {"subscribe":{"dataset":"…"}} or {"unsubscribe":"…"}.' }), '')
    if (message.unsubscribe !== undefined) {
      const subscriber = subscriptions.get(message.unsubscribe)
      subscriptions.delete(message.unsubscribe)
      return subscriber?.finish({ code: 'ENDED', detail: 'It was unsubscribed', resumable: true })
    }
    if (message.subscribe === undefined) return
    if (pending >= PENDING_MAX) return socket.close(1008, 'Too many messages at once')
    pending++
    void subscribe(message.subscribe).finally(() => { pending-- })
  })
  socket.on('error', () => socket.terminate())
  socket.on('close', () => {
    for (const subscriber of subscriptions.values()) subscriber?.finish(undefined)
    subscriptions.clear()
  })
}

function parse (data: Buffer): Message | undefined {
  try {
    const message: unknown = JSON.parse(String(data))
    return isMessage(message) ? message as Message : undefined
  } catch {
    return undefined
  }
}

class SocketPipe implements Pipe {
  readonly #socket: WebSocket
  readonly #id: string

  constructor (socket: WebSocket, id: string) {
    this.#socket = socket
    this.#id = id
  }

  get waitingBytes (): number {
    return this.#socket.bufferedAmount
  }

  rows ({ at, body, frames }: FeedRows): void {
    const key = `socket ${this.#id}`
    let frame = frames.get(key)
    if (frame === undefined) frames.set(key, frame = Buffer.concat([Buffer.from(`{"type":"rows","id":${JSON.stringify(this.#id)},"at":${JSON.stringify(at)},"rows":`), body, Buffer.from('}')]))
    if (this.#isOpen) this.#socket.send(frame, { binary: false })
  }

  heartbeat (beat: { readonly at: string, readonly rows: number, readonly live: boolean }): void {
    this.#send({ type: 'heartbeat', id: this.#id, ...beat })
  }

  /** One that is too slow loses the connection: nothing more would get through. */
  end (ending: Ending, at: string): void {
    this.#send({ type: 'end', id: this.#id, at, ...ending })
    if (ending.code === 'SLOW' || ending.code === 'UNAUTHORIZED') this.#socket.close(ending.code === 'SLOW' ? 1013 : 1008, ending.code)
  }

  async drained (): Promise<void> {
    while (this.#isOpen && this.#socket.bufferedAmount > LITTLE_BYTES) await new Promise(resolve => setTimeout(resolve, LOOK_MS))
  }

  get #isOpen (): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  #send (message: object): void {
    if (this.#isOpen) this.#socket.send(JSON.stringify(message))
  }
}
