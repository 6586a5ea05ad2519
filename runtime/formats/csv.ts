import { parse as parseCsv } from 'csv-parse/sync'
import { PlatformError } from '../errors.ts'
import { RowBatch } from '../plugin.ts'
import { isTooLong } from './format.ts'
import { afterLine, afterRecord, linesIn } from './records.ts'
import type { Column } from '../batch.ts'
import type { Json } from '../plugin.ts'
import type { Format, Parsed, ParseOptions } from './format.ts'
import type { Region } from './lines.ts'
import type { Dialect } from './records.ts'

export interface CsvOptions extends Dialect {
  /** Undefined: the first record holds them. */
  readonly names: readonly string[] | undefined
}

/**
 * Comma-separated values (RFC 4180). Lines without a quote are split, many times as fast as csv-parse; records with
 * quotes, which may hold line ends, go through csv-parse, as many at once as there are.
 */
export class Csv implements Format {
  readonly #options: CsvOptions
  #names: readonly string[] | undefined

  constructor (options: CsvOptions, state: Json) {
    this.#options = options
    this.#names = options.names ?? (Array.isArray(state) ? state as string[] : undefined)
    if (this.#names !== undefined) checkNames(this.#names)
  }

  get state (): Json {
    return this.#options.names === undefined ? this.#names ?? null : null
  }

  parse (region: Region, options: ParseOptions): Parsed {
    const records = new Records(this.#options, region, options)
    if (this.#names === undefined) {
      const header = records.header()
      if (header === undefined) return records.done([])
      checkNames(header)
      this.#names = header
    }
    records.take(this.#names.length)
    return records.done(this.#names)
  }
}

/** The records at the front of one region. */
class Records {
  #at = 0
  #lines = 0
  #length = 0
  #columns: string[][] = []
  readonly #dialect: Dialect
  readonly #region: Region
  readonly #options: ParseOptions

  constructor (dialect: Dialect, region: Region, options: ParseOptions) {
    this.#dialect = dialect
    this.#region = region
    this.#options = options
  }

  /** The names in the first record that is not empty. */
  header (): readonly string[] | undefined {
    const { text } = this.#region
    while (this.#at < text.length) {
      const from = this.#at
      const end = afterRecord(text, from, this.#dialect)
      if (end === -1 && !this.#giveUp()) return undefined
      const record = text.slice(from, end === -1 ? afterLine(text, from) : end)
      this.#move(from + record.length)
      if (withoutEnd(record) === '') continue
      try {
        return this.#parse(record)[0]
      } catch (error) {
        throw invalid(`The first line holds no names: ${reasonOf(error)}`)
      }
    }
    return undefined
  }

  take (fields: number): void {
    const { text } = this.#region
    this.#columns = Array.from({ length: fields }, () => [])
    const { quote } = this.#dialect
    if (quote === '' || !text.includes(quote, this.#at)) this.#takeLines()
    else while (this.#more() && this.#takeRecords());
  }

  done (names: readonly string[]): Parsed {
    const columns: Record<string, Column> = Object.create(null)
    for (const [i, name] of names.entries()) columns[name] = { kind: 'values', values: this.#columns[i] ?? [] }
    return { batch: new RowBatch(this.#options.topic, this.#length, columns, { bytes: this.#at }), chars: this.#at, lines: this.#lines }
  }

  #more (): boolean {
    return this.#at < this.#region.text.length && this.#lines < this.#options.rowsMax
  }

  #takeLines (): void {
    const { text } = this.#region
    const { delimiter } = this.#dialect
    while (this.#more()) {
      const from = this.#at
      const after = afterLine(text, from)
      const line = withoutEnd(text.slice(from, after))
      if (line !== '') this.#add(line.split(delimiter), line)
      this.#at = after
      this.#lines++
    }
  }

  /** A run of records; false: the first one is not complete yet. */
  #takeRecords (): boolean {
    const { text } = this.#region
    const ends: number[] = []
    let to = this.#at
    while (to < text.length && ends.length < this.#options.rowsMax - this.#lines) {
      const end = afterRecord(text, to, this.#dialect)
      if (end === -1) break
      ends.push(end)
      to = end
    }
    if (ends.length === 0) {
      if (!this.#giveUp()) return false
      this.#refuseLine('A quote is opened and not closed.')
      return true
    }
    const run = this.#tryParse(text.slice(this.#at, to))
    if (run?.length === ends.length) for (const [i, end] of ends.entries()) this.#accept(run[i] as string[], end)
    else this.#takeOneByOne(ends)
    return true
  }

  /** After a fault in a run: finds it. What follows a bad line is looked at anew, for a quote in it may have hidden the ends of others. */
  #takeOneByOne (ends: readonly number[]): void {
    for (const end of ends) {
      let records: string[][]
      try {
        records = this.#parse(this.#region.text.slice(this.#at, end))
      } catch (error) {
        this.#refuseLine(`The line is no record: ${reasonOf(error)}`)
        return
      }
      this.#accept(records[0] ?? [], end)
    }
  }

  #accept (record: readonly string[], end: number): void {
    const line = withoutEnd(this.#region.text.slice(this.#at, end))
    // An empty line is no record; a quoted empty value is one.
    if (line !== '') this.#add(record, line)
    this.#move(end)
  }

  #add (record: readonly string[], line: string): void {
    const { lineBytesMax, refuse } = this.#options
    const columns = this.#columns
    if (isTooLong(line, lineBytesMax)) {
      refuse(line, `The record has ${Buffer.byteLength(line)} bytes, more than line_bytes_max (${lineBytesMax}).`, this.#lines)
    } else if (record.length !== columns.length) {
      refuse(line, `The record has ${record.length} fields, and ${columns.length} have a name.`, this.#lines)
    } else {
      for (let i = 0; i < record.length; i++) (columns[i] as string[]).push(record[i] as string)
      this.#length++
    }
  }

  #refuseLine (reason: string): void {
    const { text } = this.#region
    const after = afterLine(text, this.#at)
    this.#options.refuse(text.slice(this.#at, after).trimEnd(), reason, this.#lines)
    this.#move(after)
  }

  #move (to: number): void {
    this.#lines += linesIn(this.#region.text, this.#at, to)
    this.#at = to
  }

  /** Whether an open quote is not waited for any longer. */
  #giveUp (): boolean {
    return this.#region.cut || this.#region.text.length - this.#at > this.#options.lineBytesMax
  }

  #tryParse (text: string): string[][] | undefined {
    try {
      return this.#parse(text)
    } catch {
      return undefined // The caller looks for the fault record by record.
    }
  }

  #parse (text: string): string[][] {
    const { delimiter, quote } = this.#dialect
    return parseCsv(text, { delimiter, quote: quote === '' ? false : quote, record_delimiter: ['\n', '\r\n'], relax_column_count: true })
  }
}

function withoutEnd (line: string): string {
  if (line.charCodeAt(line.length - 1) !== 10) return line
  return line.slice(0, line.charCodeAt(line.length - 2) === 13 ? -2 : -1)
}

function reasonOf (error: unknown): string {
  return `${(error as Error).message.replace(/ (?:at|on) line \d+/, '')}.`
}

function checkNames (names: readonly string[]): void {
  const empty = names.indexOf('')
  if (empty !== -1) throw invalid(`Column ${empty + 1} has no name.`)
  const double = names.find((name, i) => names.indexOf(name) !== i)
  if (double !== undefined) throw invalid(`Two columns have the name ${JSON.stringify(double)}.`)
}

function invalid (message: string): PlatformError {
  return new PlatformError('CONFIG_INVALID', message, { where: 'input.file.header', remedy: 'Give the names of all columns in header, and skip_lines: 1 where the file has a line of names all the same.' })
}
