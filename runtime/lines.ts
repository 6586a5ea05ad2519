// Batches as text, a line a row: JSON objects or CSV. The work is done by column: what repeats in a column is turned
// into text once, and a row is put together from pieces, without an object for each row. The text is the one that
// JSON.stringify would make of `batch.row(i)`.

import { isAscii } from 'node:buffer'
import { cell } from './batch.ts'
import type { Batch, Column, DecimalColumn, DictionaryColumn, NumbersColumn, TextColumn } from './batch.ts'
import type { TimeUnit, Type } from './schema.ts'

/** The text of row `i` of one column. */
type Piece = (i: number) => string

/** How values are written in a format. */
interface Style {
  readonly nothing: string
  /** Any text. */
  text (value: string): string
  /** Text that holds letters, digits and signs of numbers and dates only. */
  plainText (value: string): string
  /** Characters that `text` has to look after. */
  readonly special: RegExp
  /** Text without special characters. */
  readonly quote: '' | '"'
  /** JSON text, as a value of its own. */
  json (text: string): string
}

// A lone surrogate is escaped by JSON.stringify, so that the text stays valid Unicode.
// eslint-disable-next-line no-control-regex
const jsonSpecial = /["\\\u0000-\u001f\ud800-\udfff]/
const json: Style = {
  nothing: 'null',
  text: value => jsonSpecial.test(value) ? JSON.stringify(value) : `"${value}"`,
  plainText: value => `"${value}"`,
  special: jsonSpecial,
  quote: '"',
  json: text => text
}

const csvSpecial = /[",\r\n]/
const csv: Style = {
  nothing: '',
  // The empty text is quoted, because nothing between two commas is null.
  text: value => value === '' || csvSpecial.test(value) ? `"${value.replaceAll('"', '""')}"` : value,
  plainText: value => value,
  special: csvSpecial,
  quote: '',
  json: text => csv.text(text)
}

/** Makes the JSON text of row `i`, without a line end. */
export function jsonRows (batch: Batch): (i: number) => string {
  const pieces: Piece[] = []
  for (const [name, column] of Object.entries(batch.columns)) {
    pieces.push(piecesOf(column, json, `${pieces.length === 0 ? '{' : ','}${JSON.stringify(name)}:`))
  }
  if (pieces.length === 0) return () => '{}'
  return i => {
    let line = ''
    for (let c = 0; c < pieces.length; c++) line += (pieces[c] as Piece)(i)
    return `${line}}`
  }
}

/** All rows as JSON objects, a line each. */
export function jsonLines (batch: Batch): string {
  return lines(jsonRows(batch), batch.length)
}

/** Makes the CSV text of row `i`, without a line end; a column that the batch lacks is empty. Null is nothing, the empty text is `""`. */
export function csvRows (batch: Batch, names: readonly string[]): (i: number) => string {
  const pieces = names.map((name, c): Piece => {
    const column = Object.hasOwn(batch.columns, name) ? batch.columns[name] : undefined
    const comma = c === 0 ? '' : ','
    return column === undefined ? () => comma : piecesOf(column, csv, comma)
  })
  return i => {
    let line = ''
    for (let c = 0; c < pieces.length; c++) line += (pieces[c] as Piece)(i)
    return line
  }
}

/** All rows as CSV, a line each. */
export function csvLines (batch: Batch, names: readonly string[]): string {
  return lines(csvRows(batch, names), batch.length)
}

/** The first line of a CSV file. */
export function csvHeader (names: readonly string[]): string {
  return `${names.map(name => csv.text(name)).join(',')}\n`
}

function lines (line: (i: number) => string, length: number): string {
  let text = ''
  for (let i = 0; i < length; i++) text += `${line(i)}\n`
  return text
}

function piecesOf (column: Column, style: Style, before: string): Piece {
  const piece = validPieces(column, style, before)
  const { valid } = column
  if (valid === undefined) return piece
  const nothing = before + style.nothing
  return i => valid[i] === 0 ? nothing : piece(i)
}

function validPieces (column: Column, style: Style, before: string): Piece {
  switch (column.kind) {
    case 'values': return i => before + valueText(column.values[i], style)
    case 'dictionary': return dictionaryPieces(column, style, before)
    case 'text': return textPieces(column, style, before)
    case 'numbers': return numberPieces(column, style, before)
    case 'decimal': return decimalPieces(column, style, before)
    case 'list': {
      const { offsets } = column
      const item = piecesOf(column.items, json, '')
      return i => {
        let text = ''
        for (let j = offsets[i] as number; j < (offsets[i + 1] as number); j++) text += text === '' ? item(j) : `,${item(j)}`
        return before + style.json(`[${text}]`)
      }
    }
  }
}

function valueText (value: unknown, style: Style): string {
  switch (typeof value) {
    case 'string': return style.text(value)
    case 'number': return Number.isFinite(value) ? String(value) : style.nothing
    case 'boolean': return String(value)
    case 'bigint': return bigText(value, style)
    default: return value === null || value === undefined ? style.nothing : style.json(JSON.stringify(value))
  }
}

/** A 64-bit integer: as text where a JavaScript number would not hold it. */
function bigText (value: bigint, style: Style): string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? String(number) : style.plainText(String(value))
}

function dictionaryPieces ({ codes, values }: DictionaryColumn, style: Style, before: string): Piece {
  const texts = values.map(value => before + valueText(value, style))
  const nothing = before + style.nothing
  return i => texts[codes[i] as number] ?? nothing
}

function textPieces (column: TextColumn, style: Style, before: string): Piece {
  const { offsets, bytes, type } = column
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isJson = type?.kind === 'json'
  if (isAscii(bytes)) {
    const all = buffer.toString('latin1')
    // JSON text goes as it is, unless it has a line end of its own.
    if (isJson && style === json && !/[\r\n]/.test(all)) return i => before + all.slice(offsets[i], offsets[i + 1])
    if (!isJson && style === json && !style.special.test(all)) return i => `${before}"${all.slice(offsets[i], offsets[i + 1])}"`
    if (!isJson) return i => before + style.text(all.slice(offsets[i], offsets[i + 1]))
  }
  if (isJson) return i => before + style.json(JSON.stringify(cell(column, i)))
  return i => before + style.text(buffer.toString('utf8', offsets[i], offsets[i + 1]))
}

/** Turning a number into text is dear, and neighbours are often equal. */
function numberPieces (column: NumbersColumn, style: Style, before: string): Piece {
  const { numbers, type } = column
  const textOf = numberText(type, style)
  let last: number | bigint | undefined
  let text = ''
  return i => {
    const number = numbers[i] as number | bigint
    if (number !== last) {
      last = number
      text = before + textOf(number)
    }
    return text
  }
}

function numberText (type: Type | undefined, style: Style): (number: number | bigint) => string {
  switch (type?.kind) {
    case 'bool': return number => Number(number) === 0 ? 'false' : 'true'
    case 'date': return number => style.plainText(dayText(Number(number)))
    case 'timestamp': {
      const textOf = timestampTexts(type.unit)
      return number => style.plainText(textOf(number))
    }
    default: return number => {
      if (typeof number === 'bigint') return bigText(number, style)
      return Number.isFinite(number) ? String(number) : style.nothing
    }
  }
}

function dayText (day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10)
}

const perSecond = { s: 1, ms: 1e3, us: 1e6, ns: 1e9 } as const
const digits = { s: 0, ms: 3, us: 6, ns: 9 } as const

/** Units since 1970 as ISO 8601, UTC. The date and time of a second are made once; rows of a market crowd into few of them. */
export function timestampTexts (unit: TimeUnit): (units: number | bigint) => string {
  const per = perSecond[unit]
  const perBig = BigInt(per)
  let lastSecond = NaN
  let prefix = ''
  return units => {
    const number = Number(units)
    let second: number
    let fraction: number
    if (typeof units === 'bigint' && !Number.isSafeInteger(number)) {
      const rest = units % perBig
      second = Number((units - rest) / perBig)
      fraction = Number(rest)
    } else {
      second = Math.trunc(number / per)
      fraction = number - second * per
    }
    if (fraction < 0) {
      second--
      fraction += per
    }
    if (second !== lastSecond) {
      lastSecond = second
      prefix = new Date(second * 1000).toISOString().slice(0, -5)
    }
    return unit === 's' ? `${prefix}Z` : `${prefix}.${String(fraction).padStart(digits[unit], '0')}Z`
  }
}

function decimalPieces (column: DecimalColumn, style: Style, before: string): Piece {
  const { words, type } = column
  const scale = type?.kind === 'decimal' ? type.scale : 0
  // As 32-bit words, lowest first: most decimals fit a double, and a BigInt a row would cost several times as much.
  const parts = new Uint32Array(words.buffer, words.byteOffset, words.length * 2)
  return i => {
    const [low, middle] = [parts[4 * i] as number, parts[4 * i + 1] as number]
    if (parts[4 * i + 2] !== 0 || parts[4 * i + 3] !== 0 || middle >= 0x200000) return before + style.plainText(cell(column, i) as string)
    const text = String(middle * 4_294_967_296 + low).padStart(scale + 1, '0')
    return before + style.plainText(scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`)
  }
}
