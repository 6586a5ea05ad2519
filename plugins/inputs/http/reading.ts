// One reading of a source: passes, each one with its pages.
//
//   reading   what a run does, or one turn of a poll
//   pass      one question with all its pages: the whole source, what is new in it, or one window of time
//   page      one answer; behind each one there is a checkpoint
//
// An unfinished pass is finished first, whoever began it: its rows so far are in the topic already.

import { cell } from '../../../runtime/batch.ts'
import { intervalOf, sayReadBefore } from '../../../runtime/data-interval.ts'
import { describe, PlatformError } from '../../../runtime/errors.ts'
import { refused } from './client.ts'
import { PageReader } from './page.ts'
import { firstPlace, Pager } from './paging.ts'
import { RefusedRows } from './refused-rows.ts'
import { rowHash, Watermark } from './watermark.ts'
import type { Batch, Chunk, Context, Json, Row } from '../../../runtime/plugin.ts'
import type { Answer, Client } from './client.ts'
import type { Times } from './check.ts'
import type { HttpConfig } from './options.ts'
import type { Page } from './page.ts'
import type { Pass, Place } from './paging.ts'
import type { RefusedState } from './refused-rows.ts'
import type { WatermarkState } from './watermark.ts'

export interface Checkpoint {
  /** The run that wrote it; absent: no run. */
  readonly run?: string
  /** That run, or that turn of a poll, has read all there was. */
  readonly done: boolean
  /** The pass that is under way, where it stands, and the last page of it. */
  readonly pass?: Pass
  readonly place?: Place
  readonly hash?: string
  /** Up to where windows of time are complete, ms since 1970. */
  readonly end?: number
  readonly watermark?: WatermarkState
  readonly refused?: RefusedState
}

/** The page to ask for next. */
interface At {
  readonly pass: Pass
  readonly place: Place
  /** Of the page before. */
  readonly hash: string | undefined
  /** It stood in a checkpoint, so the source may have forgotten it. */
  readonly old: boolean
}

export class Reading {
  readonly #config: HttpConfig
  readonly #times: Times
  readonly #client: Client
  readonly #context: Context
  readonly #pager: Pager
  readonly #pages: PageReader
  readonly #watermark: Watermark | undefined
  readonly #refused: RefusedRows | undefined
  readonly #saved: Checkpoint | undefined
  readonly #now: number
  #end: number | undefined
  #widthMs: number | undefined
  #began: boolean

  /** `saved`: where the reading before stopped. */
  constructor ({ config, times, client, context, saved }: { readonly config: HttpConfig, readonly times: Times, readonly client: Client, readonly context: Context, readonly saved: Checkpoint | undefined }) {
    this.#config = config
    this.#times = times
    this.#client = client
    this.#context = context
    this.#pager = new Pager(config)
    this.#pages = new PageReader(config, context.topic)
    this.#saved = saved
    this.#now = context.clock.now()
    this.#end = saved?.end
    this.#widthMs = times.windowMs
    const { incremental, remembered_rows_max: rememberedMax } = config
    this.#watermark = incremental === null ? undefined : new Watermark({ field: incremental.field, start: incremental.start, ascending: incremental.ascending, rememberedMax }, saved?.watermark)
    this.#refused = incremental === null ? undefined : new RefusedRows(rememberedMax, saved?.refused)
    this.#began = saved?.pass !== undefined && saved.run !== undefined && saved.run === context.run?.id
  }

  /** Ends when the source has nothing more for now, or at the signal. */
  async * chunks (): AsyncGenerator<Chunk & { readonly checkpoint: Json }, void, void> {
    let at: At | undefined = this.#resumed() ?? this.#begin()
    // A reading that had nothing to ask for has to say so as well, or a resumed run would look again.
    if (at === undefined) yield { batch: this.#pages.empty(), checkpoint: this.#checkpoint(undefined) }
    while (at !== undefined && !this.#context.signal.aborted) {
      const answer = await this.#ask(at)
      if (answer === undefined) return
      if (answer === 'again') {
        at = this.#anew(at.pass)
        continue
      }
      const page = this.#page(answer, at.place)
      if (page !== undefined && this.#overfull(page, at.pass, answer)) {
        at = { ...at, pass: { ...at.pass, to: this.#half(at.pass, answer) } }
        continue
      }
      if (page !== undefined && at.place.pages === 0 && this.#pager.short(page)) await this.#checkShort(at, page, answer)
      const batch = page === undefined ? this.#pages.empty() : this.#take(page, at, answer)
      at = this.#behind(at, page, answer)
      yield { batch, checkpoint: this.#checkpoint(at) }
    }
  }

  #resumed (): At | undefined {
    const { pass, place = firstPlace, hash } = this.#saved ?? {}
    return pass === undefined ? undefined : { pass, place, hash, old: place.pages > 0 }
  }

  #begin (): At | undefined {
    const pass = this.#nextPass()
    return pass === undefined ? undefined : { pass, place: firstPlace, hash: undefined, old: false }
  }

  /** The next page, or the first one of the next pass; undefined: the reading has ended. */
  #behind ({ pass, place }: At, page: Page | undefined, answer: Answer): At | undefined {
    const next = page === undefined ? undefined : this.#pager.next(place, page, answer)
    if (next !== undefined) return { pass, place: next, hash: page?.hash, old: false }
    this.#watermark?.settle()
    this.#refused?.settle()
    this.#end = pass.to ?? this.#end
    this.#pager.begin()
    return this.#begin()
  }

  /** The answer for a page; undefined: stopped. `again`: the place is not known any more, as when a cursor is too old. */
  async #ask ({ pass, place, old }: At): Promise<Answer | 'again' | undefined> {
    try {
      return await this.#client.ask(this.#pager.ask(pass, place))
    } catch (error) {
      if (!old || !(error instanceof PlatformError) || error.code !== 'SOURCE_REFUSED') throw error
      const doubles = this.#config.incremental?.ascending !== true
      this.#context.log.warn({ reason: describe(error), pages: place.pages, doubles }, 'The source does not take up an unfinished reading where it stood; it begins anew')
      return 'again'
    }
  }

  /** undefined: there is no such page. */
  #page (answer: Answer, place: Place): Page | undefined {
    if (place.pages > 0 && this.#config.paging.end_statuses.includes(answer.status)) return undefined
    return this.#pages.read(answer)
  }

  /** The page's new rows; what is none is rejected. */
  #take (page: Page, { place, hash }: At, answer: Answer): Batch {
    if (page.length > 0 && page.hash === hash) throw refused('The source gave the same page twice in a row: it would go round for ever', answer.url, 'Check paging.parameter, and that the source takes it.')
    if (place.pages + 1 > this.#config.pages_max) throw refused(`There are more than ${this.#config.pages_max} pages`, answer.url, 'Raise pages_max, or ask for larger pages.')
    for (const { row, reason } of page.refused) this.#refuse(row, reason, [])
    return this.#new(page)
  }

  /** A source that is asked for what is new gives a bad row again and again: it is rejected once. `added`: no part of the row. */
  #refuse (row: Row, reason: string, added: readonly string[]): void {
    const hash = (): string => rowHash(row, Object.keys(row).filter(name => !added.includes(name)).sort())
    if (this.#refused !== undefined && !this.#refused.admit(hash())) return this.#context.metrics.count('rows_known', 1)
    this.#context.metrics.count('rows_malformed', 1)
    this.#context.reject(row, reason)
  }

  /** The rows that were not taken before. */
  #new ({ batch, added }: Page): Batch {
    const { incremental } = this.#config
    if (incremental === null || this.#watermark === undefined) return batch
    const column = batch.columns[incremental.field]
    const taken: number[] = []
    let unplaced = 0
    for (let i = 0; i < batch.length; i++) {
      const value = column === undefined ? null : cell(column, i)
      if (typeof value !== 'string' && typeof value !== 'number') {
        unplaced++
        this.#refuse(batch.row(i), `The row has no value in ${incremental.field}, by which the input tells what is new.`, added)
      } else if (this.#watermark.admit(value, () => rowHash(batch.row(i), incremental.key))) taken.push(i)
    }
    if (taken.length + unplaced < batch.length) this.#context.metrics.count('rows_known', batch.length - taken.length - unplaced)
    return taken.length === batch.length ? batch : batch.select(Int32Array.from(taken))
  }

  /** Only the first page can tell a source that gives fewer rows than asked for from one that has no more. Throws SOURCE_REFUSED. */
  async #checkShort ({ pass }: At, page: Page, answer: Answer): Promise<void> {
    const { size } = this.#config.paging
    let second: Answer | undefined
    try {
      second = await this.#client.ask(this.#pager.ask(pass, { pages: 1, rows: page.length }))
    } catch (error) {
      // Many sources refuse a page that they do not have.
      if (error instanceof PlatformError && error.code === 'SOURCE_REFUSED') return
      throw error
    }
    if (second === undefined || this.#config.paging.end_statuses.includes(second.status) || this.#pages.read(second).length === 0) return
    throw refused(`The first page has ${page.length} rows, not the ${size} that were asked for, and there is a second one`, answer.url, 'Set paging.size to the rows of a page that the source gives. Where rows came in just now, the next attempt finds them.')
  }

  /** A window with as many rows as a page can have may have more, and there is no second page of it. */
  #overfull (page: Page, pass: Pass, answer: Answer): boolean {
    const { kind, size } = this.#config.paging
    if (kind !== 'window' || size === undefined) return false
    if (page.length < size) {
      if (this.#widthMs !== undefined && this.#times.windowMs !== undefined) this.#widthMs = Math.min(this.#times.windowMs, this.#widthMs * 2)
      return false
    }
    if ((pass.to as number) - (pass.from as number) > this.#times.unitMs) return true
    throw refused(`The shortest window has ${page.length} rows, as many as an answer can have: there may be more`, answer.url, 'Use finer times in {from} and {to}, raise paging.size, or use another kind of paging.')
  }

  #half ({ from = 0, to = 0 }: Pass, answer: Answer): number {
    const { unitMs } = this.#times
    this.#widthMs = Math.max(unitMs, Math.floor((to - from) / 2 / unitMs) * unitMs)
    this.#context.log.info({ widthMs: this.#widthMs, address: answer.url.origin }, 'A window is full, asking for a shorter one')
    return from + this.#widthMs
  }

  #nextPass (): Pass | undefined {
    const since = this.#watermark?.value === undefined ? {} : { since: this.#watermark.value }
    if (!this.#times.used) {
      if (this.#began) return undefined
      this.#began = true
      return since
    }
    const { unitMs, start } = this.#times
    const interval = intervalOf({ run: this.#context.run, end: this.#end, start, now: this.#now })
    if (interval === undefined && !this.#began) sayReadBefore(this.#context.log, this.#context.run)
    this.#began = true
    if (interval === undefined) return undefined
    const from = Math.floor(interval.from / unitMs) * unitMs
    const to = Math.floor(interval.to / unitMs) * unitMs
    return from >= to ? undefined : { ...since, from, to: Math.min(to, from + (this.#widthMs ?? Infinity)) }
  }

  /** The same pass from its first page; what rows in order have shown to be taken is not asked for again. */
  #anew (pass: Pass): At {
    const first = { place: firstPlace, hash: undefined, old: false }
    this.#refused?.settle()
    if (this.#config.incremental?.ascending !== true || this.#watermark === undefined) return { ...first, pass }
    this.#watermark.settle()
    const { value } = this.#watermark
    return { ...first, pass: value === undefined ? pass : { ...pass, since: value } }
  }

  #checkpoint (at: At | undefined): Json {
    const run = this.#context.run?.id
    const refused = this.#refused?.state
    const checkpoint: Checkpoint = {
      ...(run !== undefined && { run }),
      done: at === undefined,
      ...(at !== undefined && { pass: at.pass, place: at.place }),
      ...(at?.hash !== undefined && { hash: at.hash }),
      ...(this.#end !== undefined && { end: this.#end }),
      ...(this.#watermark !== undefined && { watermark: this.#watermark.state }),
      ...(refused !== undefined && { refused })
    }
    return checkpoint as unknown as Json
  }
}
