// The thread of one dataset's live rows (feed-worker.ts), from outside.

import { MessageChannel, Worker } from 'node:worker_threads'
import { PlatformError } from '../errors.ts'
import type { MessagePort } from 'node:worker_threads'
import type { Subject } from '../parity/subject.ts'
import type { Platform } from '../platform.ts'
import type { FromSideThread, SideData } from '../side-thread.ts'
import type { FeedRequest, FromFeed, Selection, ToFeed } from './messages.ts'

const HEAP_MEGABYTES_MAX = 512
/** How long it may take to open its topics and transforms. */
const OPEN_MS_MAX = 60_000
/** One that is silent for so long hangs in a transform. */
const SILENCE_MS_MAX = 30_000
const END_MS_MAX = 3000

/** Rows that several members get; whoever needs them in a frame of a protocol makes it once. */
export interface FeedRows {
  readonly rows: number
  /** Position behind them. */
  readonly at: string
  /** A JSON array. */
  readonly body: Uint8Array
  readonly frames: Map<string, Buffer>
}

/** Who gets rows of a feed. */
export interface Member {
  /** `taken`: to be called when they were handed on; undefined: nobody waits for that. */
  rows (rows: FeedRows, taken: (() => void) | undefined): void
  /** It has come to where the others are. */
  joined (at: string): void
  /** All rows before the position were sent. Not called while it catches up. */
  at (at: string): void
  /** Nothing comes any more. */
  cut (reason: string): void
}

export class Feed {
  readonly #thread: Worker
  readonly #port: MessagePort
  readonly #members = new Map<number, { readonly member: Member, upToDate: boolean }>()
  readonly #open = Promise.withResolvers<void>()
  readonly #watchdog: NodeJS.Timeout
  #heardAt = performance.now()
  #numbers = 0
  #ended = false

  constructor (platform: Platform, feeds: readonly Subject[], { dataset, onEnd }: { readonly dataset: string, readonly onEnd: () => void }) {
    const { supervisor, config, root, clickhouse, warehouse } = platform
    const { port1, port2 } = new MessageChannel()
    const request: FeedRequest & { readonly port: MessagePort } = { dataset, schema: feeds[0]?.schema.name ?? dataset, outputs: feeds.map(({ pipeline, group }) => `outputs.${group.slice(pipeline.id.length + 1)}`), port: port2 }
    const data: SideData<typeof request> = { request, root, dataFolder: config.dataFolder, kafka: config.kafka, clickhouse, warehouse, pipelines: feeds.map(({ pipeline }) => pipeline), schemas: supervisor.schemas }
    this.#port = port1
    this.#thread = new Worker(new URL('./feed-worker.ts', import.meta.url), { workerData: data, transferList: [port2], resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES_MAX } })
    this.#open.promise.catch(() => {})
    const fail = (reason: string): void => {
      if (this.#ended) return
      platform.log.warn({ dataset, reason }, 'The live rows of a dataset have ended')
      this.#end(reason)
      onEnd()
    }
    this.#thread.on('message', (message: FromSideThread) => {
      if (message.type === 'failed') fail(message.reason)
      else if (message.type === 'log') platform.log[message.level]({ dataset, ...message.fields }, message.message)
    })
    this.#thread.once('error', (error: Error) => fail(error.message))
    this.#thread.once('exit', () => fail('Its thread has ended'))
    this.#port.on('message', (message: FromFeed) => this.#take(message))
    const openUntil = performance.now() + OPEN_MS_MAX
    this.#watchdog = setInterval(() => {
      if (performance.now() > Math.max(openUntil, this.#heardAt + SILENCE_MS_MAX)) fail('A transform of its pipeline hangs')
    }, 1000)
  }

  get members (): number {
    return this.#members.size
  }

  /** Resolves when it reads. Throws SOURCE_UNAVAILABLE with the reason where it cannot. */
  opened (): Promise<void> {
    return this.#open.promise
  }

  /** `from`: offsets as text; undefined: from now on. Returns what ends the membership. */
  join (member: Member, selection: Selection, from: string | undefined): () => void {
    const number = this.#numbers++
    this.#members.set(number, { member, upToDate: false })
    this.#send({ type: 'join', member: number, selection, from })
    return () => {
      if (this.#members.delete(number)) this.#send({ type: 'leave', member: number })
    }
  }

  /** Cuts all members off. */
  async close (reason: string): Promise<void> {
    if (this.#ended) return
    this.#send({ type: 'end' })
    this.#end(reason)
    const { promise, resolve } = Promise.withResolvers<void>()
    const late = setTimeout(resolve, END_MS_MAX)
    this.#thread.once('exit', () => resolve())
    await promise
    clearTimeout(late)
    await this.#thread.terminate()
  }

  #end (reason: string): void {
    this.#ended = true
    clearInterval(this.#watchdog)
    this.#open.reject(new PlatformError('SOURCE_UNAVAILABLE', `The live rows cannot be read: ${reason}`, { remedy: 'Try again in a few seconds.' }))
    const members = [...this.#members.values()]
    this.#members.clear()
    for (const { member } of members) member.cut(reason)
    this.#port.close()
    // What failed may hang.
    setTimeout(() => { void this.#thread.terminate() }, END_MS_MAX).unref()
  }

  #send (message: ToFeed): void {
    if (!this.#ended) this.#port.postMessage(message)
  }

  #take (message: FromFeed): void {
    this.#heardAt = performance.now()
    switch (message.type) {
      case 'open': return this.#open.resolve()
      case 'joined': return this.#joined(message.member, message.at)
      case 'rows': return this.#rows(message)
      case 'at':
        for (const { member, upToDate } of this.#members.values()) if (upToDate) member.at(message.at)
        return
      case 'cut': {
        const found = this.#members.get(message.member)
        this.#members.delete(message.member)
        found?.member.cut(message.reason)
      }
    }
  }

  #joined (number: number, at: string): void {
    const found = this.#members.get(number)
    if (found === undefined) return
    found.upToDate = true
    found.member.joined(at)
  }

  #rows ({ members, rows, at, body, catchingUp }: Extract<FromFeed, { type: 'rows' }>): void {
    const shared: FeedRows = { rows, at, body, frames: new Map() }
    if (!catchingUp) {
      for (const number of members) this.#members.get(number)?.member.rows(shared, undefined)
      return this.#send({ type: 'taken', member: undefined, bytes: body.length })
    }
    const [number = -1] = members
    this.#members.get(number)?.member.rows(shared, () => this.#send({ type: 'taken', member: number, bytes: body.length }))
  }
}
