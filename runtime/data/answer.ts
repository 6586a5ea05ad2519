// A question answered: its rows as one page of JSON or as a stream, with what is to be said about them in headers.

import { Transform } from 'node:stream'
import type { Readable as Stream } from 'node:stream'
import { text } from 'node:stream/consumers'
import { PlatformError } from '../errors.ts'
import { waitingOf } from '../warehouse/task.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { Readable } from './catalog.ts'
import { tagOf } from './closed.ts'
import { CURSOR } from './compile.ts'
import type { Question } from './compile.ts'
import { rowCounter } from './count.ts'
import { formatInstant, parseInstant } from './instant.ts'
import { openToken, questionOf, sealToken } from './page-token.ts'
import type { PageToken } from './page-token.ts'
import { isOver, pinOf } from './pin.ts'
import type { Pin } from './pin.ts'
import { runCompiled } from './run.ts'
import { isBehind, recentRowsAreOfTable } from './recent.ts'
import { formatRange, PAGE_ROWS, PAGE_ROWS_MAX } from './spec.ts'
import type { Format, Params, Spec } from './spec.ts'
import type { Lane } from './stream.ts'
import { unknownSymbols } from './symbols.ts'

const engineFormats = { json: 'JSONEachRow', ndjson: 'JSONEachRow', csv: 'CSVWithNames', parquet: 'Parquet', arrow: 'ArrowStream' } as const
const contentTypes = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
  parquet: 'application/vnd.apache.parquet',
  arrow: 'application/vnd.apache.arrow.stream'
} as const
/** Symbols that one warning names. */
const NAMED_MAX = 20

export interface Asker {
  readonly principal: Principal
  readonly signal: AbortSignal
}

export interface Wish<P extends Params> extends Asker {
  /** What the question is about, for the page token: kind, names, grants. */
  readonly about: Readonly<Record<string, unknown>>
  readonly params: P
  readonly format: Format
  /** The tag of the answer that the reader has already. */
  readonly tag?: string | undefined
  /** Makes the question of its parameters, whose range is that of the first page; `seq` is the boundary that pages keep to. */
  make (params: P, seq: number | undefined): Promise<Question>
}

export interface Rows {
  /** Nothing has changed since the answer with that tag: there is no body. */
  readonly unchanged: boolean
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Stream
  /** Rows of the body; of a stream, once it has ended. */
  rows (): number
}

/** Throws what `stream` throws, REQUEST_INVALID, PAGE_EXPIRED and QUOTA_EXCEEDED. */
export async function answerRows<P extends Params> (platform: Platform, wish: Wish<P>): Promise<Rows> {
  const { principal, signal, format } = wish
  const { page_token: tokenText, page_size: pageSize = PAGE_ROWS, ...rest } = wish.params
  if (format !== 'json' && (tokenText !== undefined || wish.params.page_size !== undefined)) {
    throw new PlatformError('REQUEST_INVALID', `Pages are of JSON; ${format} has all rows in one answer`, { remedy: 'Leave page_token and page_size out.' })
  }
  const name = questionOf({ about: wish.about, params: rest })
  const token = tokenText === undefined ? undefined : openToken(platform.store.database, tokenText, name)
  const question = await wish.make(token === undefined ? wish.params : asBefore(wish.params, token), token?.seq ?? undefined)
  const { datasets: [readable], spec } = question
  const pin = question.pin ?? await pinOf(platform, readable.name, { range: spec.range, seq: token?.seq ?? undefined, signal })
  const tag = await tagOf(platform, question, { pin, question: JSON.stringify([name, format, pageSize, tokenText]), principal, signal })
  const headers = headersOf(question, pin, conditionOf(platform, question, pin), tag)
  if (tag !== undefined && wish.tag?.split(',').some(one => one.trim() === tag) === true) return { unchanged: true, contentType: contentTypes[format], headers, body: '', rows: () => 0 }
  const warnings = await warningsOf(platform, question, { pin, principal, signal })
  const told = warnings.length === 0 ? headers : { ...headers, 'x-warning': headerText(JSON.stringify(warnings)) }
  const lane = laneOf(readable, question, pin)
  const recent = isBehind(spec, readable, pin) && await recentRowsAreOfTable(platform, readable, pin)
  if (format === 'json') return page(platform, wish, { question, name, pin, lane, recent, token, pageSize, headers: told })
  const compiled = question.compile({ format, rows: spec.limit, recent })
  const answer = await runCompiled(platform, compiled, { format: engineFormats[format], lane, seq: pin.seq, principal, settings: numbersOf(spec.priceType), signal })
  const counter = rowCounter(format)
  const counted = answer.body.compose(quotaMeter(platform, principal, counter, format, Boolean(wish.params.trailer))) as unknown as Stream
  return { unchanged: false, contentType: contentTypes[format], headers: told, body: counted, rows: () => counter.rows() }
}

interface PageParts {
  readonly question: Question
  readonly name: string
  readonly pin: Pin
  readonly lane: Lane
  readonly recent: boolean
  readonly token: PageToken | undefined
  readonly pageSize: number
  readonly headers: Readonly<Record<string, string>>
}

async function page (platform: Platform, { principal, signal }: Asker, { question, name, pin, lane, recent, token, pageSize, headers }: PageParts): Promise<Rows> {
  const { datasets, spec } = question
  const left = token === undefined ? spec.limit ?? null : token.left
  const rows = Math.min(pageSize, PAGE_ROWS_MAX, left ?? Infinity)
  // One more tells whether there is another page.
  const compiled = question.compile({ format: 'json', rows: rows + 1, after: token?.after ?? null, recent })
  const { body } = await runCompiled(platform, compiled, { format: engineFormats.json, lane, seq: pin.seq, principal, settings: numbersOf(spec.priceType), signal })
  const lines = (await text(body)).split('\n').filter(line => line !== '')
  if (token?.seq !== undefined && token.seq !== null) {
    // Asked behind the rows: what was removed while they were read counts, too.
    for (const { name } of datasets) if (await isOver(platform, name, { range: spec.range, seq: token.seq, signal })) throw new PlatformError('PAGE_EXPIRED', `Days of ${name} were handed over to the warehouse since the first page, and its rows are not where they were`, { remedy: 'Begin again without page_token; or ask for ndjson, csv, parquet or arrow, which have no pages.' })
  }
  const shown = lines.slice(0, rows)
  platform.access.takeRows(principal, shown.length)
  const marks = shown.map(line => line.lastIndexOf(`"${CURSOR}":`))
  const last = shown.at(-1)
  const more = lines.length > rows && (left === null || left > rows)
  const after = last === undefined || !more ? undefined : (JSON.parse(`{${last.slice(marks.at(-1))}`) as Record<string, string[]>)[CURSOR]
  const next = after === undefined ? null : sealToken(platform.store.database, { ...tokenOf(spec), question: name, seq: pin.seq ?? null, after, left: left === null ? null : left - rows, at: token?.at ?? Date.now() })
  const objects = shown.map((line, i) => `${line.slice(0, marks[i]).replace(/,$/, '')}}`)
  const columns = JSON.stringify(compiled.columns.map(({ name, type }) => ({ name, type })))
  const whole = `{"dataset":${JSON.stringify(datasets[0].name)},"columns":${columns},"rows":[${objects.join(',')}],"next_page_token":${JSON.stringify(next)}}`
  return { unchanged: false, contentType: contentTypes.json, headers, body: whole, rows: () => shown.length }
}

function tokenOf ({ range: { start, end } }: Spec): Pick<PageToken, 'start' | 'end'> {
  return { start: start === undefined ? null : formatInstant(start), end: end === undefined ? null : formatInstant(end) }
}

/** `last` means what it meant at the first page. */
function asBefore<P extends Params> (params: P, { start, end }: PageToken): P {
  const { last: _, start: _start, end: _end, ...rest } = params
  return { ...rest, ...(start !== null && { start }), ...(end !== null && { end }) } as unknown as P
}

/** Counts the rows that pass against the quota; where it is used up the answer is cut, so that nobody takes it for whole. */
function quotaMeter (platform: Platform, principal: Principal, counter: ReturnType<typeof rowCounter>, format: Format, trailer: boolean): Transform {
  let taken = 0
  const settle = (): void => {
    const rows = counter.rows()
    if (rows === taken) return
    platform.access.takeRows(principal, rows - taken)
    taken = rows
  }
  return new Transform({
    transform (piece: Buffer, _encoding, done) {
      try {
        counter.add(piece)
        if (format !== 'parquet') settle()
        done(null, piece)
      } catch (error) {
        done(error as Error)
      }
    },
    flush (done) {
      try {
        settle()
        done(null, trailer && format === 'ndjson' ? Buffer.from(`{"_end":true,"rows":${taken}}\n`) : undefined)
      } catch (error) {
        done(error as Error)
      }
    }
  })
}

function laneOf ({ place }: Readable, { spec: { range } }: Question, { boundary }: Pin): Lane {
  if (place === 'realtime' || place === 'none' || boundary === undefined) return 'streaming'
  return range.start !== undefined && range.start >= boundary ? 'streaming' : 'warehouse'
}

function numbersOf (priceType: Params['price_type']): Readonly<Record<string, string>> {
  return { output_format_json_quote_decimals: priceType === 'decimal' ? '1' : '0' }
}

/** How good the days of the range are, as `/condition` says of each. */
function conditionOf ({ store }: Platform, { datasets, spec: { range } }: Question, { doubtfulDays }: Pin): { readonly word: string, readonly pending: readonly string[] } {
  const names = new Set(datasets.map(({ name }) => name))
  const pending = waitingOf(store).all.filter(({ dataset, day }) => {
    const start = parseInstant(day) ?? 0n
    return names.has(dataset) && (range.end === undefined || start < range.end) && (range.start === undefined || start + 86_400_000_000_000n > range.start)
  }).map(({ dataset, day }) => `${dataset} ${day}`)
  return { word: pending.length > 0 ? 'pending' : doubtfulDays > 0 ? 'degraded' : 'available', pending }
}

function headersOf ({ spec: { range } }: Question, { seq, boundary }: Pin, { word }: { readonly word: string }, tag: string | undefined): Readonly<Record<string, string>> {
  return {
    'x-data-as-of': new Date().toISOString(),
    'x-data-range': formatRange(range),
    'x-data-condition': word,
    ...(boundary !== undefined && { 'x-data-boundary': formatInstant(boundary) }),
    ...(seq !== undefined && { 'twolane-boundary': String(seq) }),
    ...(tag !== undefined && { etag: tag, 'cache-control': 'private, no-cache' })
  }
}

/** Throws REQUEST_INVALID where a symbol is not there and that is to be an error. */
async function warningsOf (platform: Platform, question: Question, { pin, principal, signal }: Asker & { readonly pin: Pin }): Promise<string[]> {
  const { datasets: [readable], spec: { symbols, strict } } = question
  const { pending } = conditionOf(platform, question, pin)
  const unknown = symbols === undefined ? [] : await unknownSymbols(platform, readable, { symbols, principal, seq: pin.seq, signal })
  const named = `${unknown.slice(0, NAMED_MAX).join(', ')}${unknown.length > NAMED_MAX ? ` and ${unknown.length - NAMED_MAX} more` : ''}`
  if (unknown.length > 0 && strict) throw new PlatformError('REQUEST_INVALID', `${readable.name} has no row of ${named}`, { remedy: `GET /v1/datasets/${readable.name}/symbols lists those that there are.` })
  return [
    ...unknown.length === 0 ? [] : [`SymbolNotFound: ${readable.name} has no row of ${named}`],
    ...pending.length === 0 ? [] : [`DaysPending: ${pending.slice(0, NAMED_MAX).join(', ')}`],
    ...pin.doubtfulDays === 0 ? [] : [`DaysDegraded: ${pin.doubtfulDays} days of the range have warnings of the quality rules`],
    ...await question.warnings?.() ?? []
  ]
}

/** A header takes ASCII; in JSON every other letter has an escape. */
function headerText (json: string): string {
  return json.replace(/[^\x20-\x7e]/g, letter => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
