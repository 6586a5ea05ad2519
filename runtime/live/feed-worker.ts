// The thread of one dataset's live rows: reads its topics once, from their end, and sends each row that somebody wants
// once for each selection, whoever shares it. A member that begins further back catches up by a reader of its own and
// joins the others when it has come to where they are; in between there is no gap and no overlap, because both know the
// offsets and no row is read while it joins.

import { setImmediate as yieldToOthers, setTimeout as sleep } from 'node:timers/promises'
import { describe, PlatformError } from '../errors.ts'
import { serveSide } from '../side-worker.ts'
import { topicNamed } from '../steps.ts'
import { Credit } from './credit.ts'
import { BatchTexts, Outlet } from './outlet.ts'
import { offsetsText, parsePosition } from './position.ts'
import { openSource } from './topic-source.ts'
import type { MessagePort } from 'node:worker_threads'
import type { SideWork } from '../side-worker.ts'
import type { FeedRequest, FromFeed, Selection, ToFeed } from './messages.ts'
import type { Piece } from './outlet.ts'
import type { TopicSource } from './topic-source.ts'
import type { Topic } from '../schema.ts'
import type { Batch } from '../batch.ts'

/** How long it lets rows gather. */
const TICK_MS = 40
const POSITION_MS = 1000
/** Of one read. */
const limits = { rows: 5000, bytes: 4 * 2 ** 20 }
const catchUpLimits = { rows: 2000, bytes: 2 ** 20 }
/** Bytes that the other side has not taken yet: of all members, and of one that catches up. */
const ALL_BYTES_MAX = 16 * 2 ** 20
const ONE_BYTES_MAX = 2 ** 20

class Feed {
  readonly #port: MessagePort
  readonly #request: FeedRequest
  readonly #arounds: SideWork['arounds']
  readonly #schema: Topic
  readonly #outlets = new Map<string, Outlet>()
  /** By member that catches up. */
  readonly #behind = new Map<number, Credit>()
  readonly #credit = new Credit(ALL_BYTES_MAX)
  readonly #at = new Map<string, number>()
  readonly #end = new AbortController()
  #sources: TopicSource[] = []

  constructor ({ port, ...request }: FeedRequest & { readonly port: MessagePort }, arounds: SideWork['arounds'], signal: AbortSignal) {
    const [around] = arounds
    if (around === undefined) throw new PlatformError('NOT_FOUND', 'The pipeline is not there any more')
    this.#port = port
    this.#request = request
    this.#arounds = arounds
    this.#schema = topicNamed(around.schemas, request.schema)
    signal.addEventListener('abort', () => this.#stop())
    if (signal.aborted) this.#stop()
  }

  /** Until it is told to end. */
  async run (): Promise<void> {
    this.#sources = await this.#open()
    try {
      for (const { places, bounds } of this.#sources) for (const [place, partition] of places) this.#at.set(place, (await bounds(partition)).next)
      this.#port.on('message', (message: ToFeed) => this.#take(message))
      this.#port.on('close', () => this.#stop())
      this.#send({ type: 'open', at: this.#position })
      await this.#follow()
    } finally {
      for (const source of this.#sources) await source.close()
      this.#port.close()
    }
  }

  get #position (): string {
    return offsetsText(this.#at)
  }

  #open (): Promise<TopicSource[]> {
    return Promise.all(this.#arounds.map((around, i) => openSource(around, this.#request.outputs[i] as string, this.#end.signal)))
  }

  #stop (): void {
    this.#end.abort()
    this.#credit.release()
    for (const credit of this.#behind.values()) credit.release()
  }

  async #follow (): Promise<void> {
    let toldAt = 0
    while (!this.#end.signal.aborted) {
      let full = false
      for (const source of this.#sources) for (const [place, partition] of source.places) full = await this.#round(source, place, partition) || full
      for (const outlet of this.#outlets.values()) if (outlet.dueAt <= performance.now()) for (const piece of outlet.newest()) this.#spread(outlet, piece, this.#position)
      if (performance.now() - toldAt > POSITION_MS) {
        toldAt = performance.now()
        this.#send({ type: 'at', at: this.#position })
      }
      await this.#credit.room()
      await (full ? yieldToOthers() : sleep(TICK_MS, undefined, { signal: this.#end.signal }).catch(() => {}))
    }
  }

  /** Reads a partition once; whether there may be more at once. */
  async #round (source: TopicSource, place: string, partition: number): Promise<boolean> {
    const { batches, next } = await source.read(partition, this.#at.get(place) as number, limits)
    let rows = 0
    // From here on nothing is awaited: who joins finds either none of the rows sent, or all.
    for (const batch of batches) {
      rows += batch.length
      this.#distribute(batch, source.topic, place)
    }
    this.#at.set(place, next)
    return rows >= limits.rows
  }

  #distribute (batch: Batch, topic: string, place: string): void {
    const texts = new BatchTexts(batch, topic)
    const before = this.#at.get(place) as number
    for (const outlet of this.#outlets.values()) {
      for (const piece of outlet.take(texts)) {
        if (piece.next !== undefined) this.#at.set(place, piece.next)
        this.#spread(outlet, piece, this.#position)
      }
      this.#at.set(place, before)
    }
    if (batch.length > 0) this.#at.set(place, batch.offsetAt(batch.length - 1) + 1)
  }

  #spread ({ members }: Outlet, { rows, body }: Piece, at: string): void {
    this.#credit.spend(body.length)
    this.#send({ type: 'rows', members: [...members], rows, at, body, catchingUp: false })
  }

  #send (message: FromFeed): void {
    this.#port.postMessage(message)
  }

  #take (message: ToFeed): void {
    switch (message.type) {
      case 'end': return this.#stop()
      case 'taken': return (message.member === undefined ? this.#credit : this.#behind.get(message.member))?.give(message.bytes)
      case 'leave': return this.#leave(message.member)
      case 'join':
        this.#join(message).catch((error: unknown) => {
          this.#leave(message.member)
          this.#send({ type: 'cut', member: message.member, reason: describe(error) })
        })
    }
  }

  #leave (member: number): void {
    this.#behind.get(member)?.release()
    this.#behind.delete(member)
    for (const [id, { members }] of this.#outlets) {
      members.delete(member)
      if (members.size === 0) this.#outlets.delete(id)
    }
  }

  async #join ({ member, selection, from }: { readonly member: number, readonly selection: Selection, readonly from: string | undefined }): Promise<void> {
    const own = new Outlet(selection, this.#schema)
    const join = (): void => {
      const id = JSON.stringify(selection)
      const outlet = this.#outlets.get(id) ?? own
      this.#outlets.set(id, outlet)
      outlet.members.add(member)
      this.#send({ type: 'joined', member, at: this.#position })
    }
    if (from === undefined) return join()
    const credit = new Credit(ONE_BYTES_MAX)
    this.#behind.set(member, credit)
    await this.#catchUp({ member, outlet: own, credit, at: new Map([...this.#at, ...parsePosition(from).offsets]) }, join)
  }

  /** Calls `join` when nothing is between the member and the others. Rows of a partition that the position does not name begin now. */
  async #catchUp (late: Late, join: () => void): Promise<void> {
    const sources = await this.#open()
    try {
      while (this.#behind.has(late.member) && !this.#end.signal.aborted) {
        let there = true
        for (const source of sources) for (const [place, partition] of source.places) there = !await this.#approach(late, source, { place, partition }) && there
        // What was awaited since may have let the others go on.
        if (!there || !this.#isThere(late)) continue
        this.#behind.delete(late.member)
        join()
        return
      }
    } finally {
      for (const source of sources) await source.close()
    }
  }

  #isThere ({ at }: Late): boolean {
    for (const [place, offset] of this.#at) if (at.get(place) !== offset) return false
    return true
  }

  /** One read towards the others; false: it is where they are. */
  async #approach ({ member, outlet, credit, at }: Late, source: TopicSource, { place, partition }: { readonly place: string, readonly partition: number }): Promise<boolean> {
    const [offset, to] = [at.get(place) as number, this.#at.get(place) as number]
    if (offset === to) return false
    if (offset > to) {
      const { next } = await source.bounds(partition)
      if (next < offset) throw new PlatformError('BROKER_OFFSET_LOST', `${place} ends at offset ${next}, before ${offset}: the topic was made anew`)
      await sleep(TICK_MS)
      return true
    }
    const { batches, next } = await source.read(partition, offset, { ...catchUpLimits, to })
    for (const batch of batches) {
      for (const piece of outlet.all(new BatchTexts(batch, source.topic))) {
        if (piece.next !== undefined) at.set(place, piece.next)
        credit.spend(piece.body.length)
        this.#send({ type: 'rows', members: [member], rows: piece.rows, at: offsetsText(at), body: piece.body, catchingUp: true })
      }
    }
    at.set(place, next)
    await credit.room()
    await (next === offset ? sleep(TICK_MS) : yieldToOthers())
    return true
  }
}

/** A member that catches up. */
interface Late {
  readonly member: number
  readonly outlet: Outlet
  readonly credit: Credit
  readonly at: Map<string, number>
}

await serveSide(async (request: FeedRequest & { readonly port: MessagePort }, { arounds, signal }: SideWork) => {
  const feed = new Feed(request, arounds, signal)
  await feed.run()
})
