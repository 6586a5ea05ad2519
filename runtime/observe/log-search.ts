// Lines of the log, as people look for them: by part, step, level, words and time, newest first, a page at a time. A page
// goes on where the one before ended by the line's id, which is its time and its offset: new lines move nothing.

import { PlatformError } from '../errors.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import { logsTable } from './tables.ts'
import type { StoreReader } from './store-reader.ts'

export const logLevelsShown = ['error', 'warn', 'info', 'debug'] as const
export type ShownLevel = typeof logLevelsShown[number]

/** Words of one search. */
const WORDS_MAX = 10

export interface LogQuery {
  /** A pipeline; `platform`: the platform itself; undefined: any. */
  readonly part?: string | undefined
  readonly step?: string | undefined
  /** The least important one. */
  readonly level?: ShownLevel | undefined
  /** Words that all stand in the message or its fields, whatever their case. */
  readonly q?: string | undefined
}
export interface LogPage extends LogQuery {
  /** ms since 1970; `to` is exclusive. */
  readonly from: number
  readonly to: number
  readonly limit: number
  /** Id of a line: those before it. */
  readonly before?: string | undefined
}

/** A line as it is shown. */
export interface ShownLine {
  readonly id: string
  readonly at: string
  readonly level: string
  readonly runtime: string
  readonly part: string
  readonly step: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

interface Stored { readonly ms: string, readonly offset: string, readonly level: string, readonly runtime: string, readonly part: string, readonly step: string, readonly message: string, readonly fields: string }

/** What people call the platform itself, which is no pipeline. */
export const PLATFORM_PART = 'platform'

/** One page, newest first; `next` is the `before` of the one behind it, null on the last one. */
export async function searchLogs (reader: StoreReader, page: LogPage, signal?: AbortSignal): Promise<{ readonly lines: ShownLine[], readonly next: string | null }> {
  const { from, to, limit, before, part, step, level, q } = page
  const params: Record<string, unknown> = { from, to, limit: limit + 1 }
  const conditions = ['time >= fromUnixTimestamp64Milli({from:Int64})', 'time < fromUnixTimestamp64Milli({to:Int64})']
  const add = (condition: string, name: string, value: unknown): void => {
    conditions.push(condition)
    params[name] = value
  }
  if (part !== undefined) add('part = {part:String}', 'part', part === PLATFORM_PART ? '' : part)
  if (step !== undefined) add('step = {step:String}', 'step', step)
  if (level !== undefined) add('level IN {levels:Array(String)}', 'levels', levelsFrom(level))
  for (const [i, word] of wordsOf(q).entries()) add(`(positionCaseInsensitiveUTF8(message, {word${i}:String}) > 0 OR positionCaseInsensitiveUTF8(fields, {word${i}:String}) > 0)`, `word${i}`, word)
  if (before !== undefined) {
    const at = placeOf(before)
    // The first condition is one that the table is sorted by.
    add('time <= fromUnixTimestamp64Milli({beforeMs:Int64})', 'beforeMs', at.ms)
    add('(time < fromUnixTimestamp64Milli({beforeMs:Int64}) OR _offset < {beforeOffset:Int64})', 'beforeOffset', at.offset)
  }
  const found = await reader.rows<Stored>(`SELECT toUnixTimestamp64Milli(time) AS ms, _offset AS offset, level, runtime, part, step, message, fields FROM ${quoteTable(logsTable)} WHERE ${conditions.join(' AND ')} ORDER BY time DESC, _offset DESC LIMIT {limit:UInt32}`, params, signal)
  const lines = found.slice(0, limit).map(({ ms, offset, ...line }) => ({ ...line, id: idOf(Number(ms), Number(offset)), at: new Date(Number(ms)).toISOString(), fields: fieldsOf(line.fields) }))
  return { lines, next: found.length > limit ? lines.at(-1)?.id ?? null : null }
}

/** Tells of a line whether the query asks for it. */
export function lineFilter ({ part, step, level, q }: LogQuery): (line: ShownLine) => boolean {
  const levels = level === undefined ? undefined : new Set<string>(levelsFrom(level))
  const words = wordsOf(q).map(word => word.toLowerCase())
  const wantedPart = part === PLATFORM_PART ? '' : part
  return line => {
    if (wantedPart !== undefined && line.part !== wantedPart) return false
    if (step !== undefined && line.step !== step) return false
    if (levels?.has(line.level) === false) return false
    if (words.length === 0) return true
    const text = `${line.message}\n${JSON.stringify(line.fields)}`.toLowerCase()
    return words.every(word => text.includes(word))
  }
}

export function idOf (ms: number, offset: number): string {
  return `${ms}-${offset}`
}

function placeOf (id: string): { readonly ms: number, readonly offset: number } {
  const [, ms, offset] = /^(\d{1,15})-(\d{1,16})$/.exec(id) ?? []
  if (ms === undefined || offset === undefined) throw new PlatformError('REQUEST_INVALID', 'before is no id of a line', { remedy: 'Use the "next" of an answer.' })
  return { ms: Number(ms), offset: Number(offset) }
}

function levelsFrom (level: ShownLevel): readonly string[] {
  return logLevelsShown.slice(0, logLevelsShown.indexOf(level) + 1)
}

function wordsOf (text: string | undefined): string[] {
  const words = (text ?? '').split(/\s+/).filter(word => word !== '')
  if (words.length > WORDS_MAX) throw new PlatformError('REQUEST_INVALID', `q has ${words.length} words, and ${WORDS_MAX} may be looked for at a time`)
  return words
}

/** What was cut to fit is no JSON any more: it is shown as text. */
function fieldsOf (text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return { text }
  }
}
