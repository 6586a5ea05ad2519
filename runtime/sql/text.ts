// The text of a statement, written anew so that only one reading of it is left:
//
//   comments            go; where one stood, or any white space, there is one blank
//   ;                   is refused outside quotes, but for one at the end, and is \x3B inside: no text holds a second statement
//   other characters    outside quotes ASCII only: no quotes of typographers, no here documents, no control characters
//   quoted names        hold no escapes and no control characters, so that a name is what it looks like
//   FORMAT at the end   is taken off and asked for by the caller

import { PlatformError } from '../errors.ts'
import { tokenize } from '../clickhouse/server/tokens.ts'
import type { Token } from '../clickhouse/server/tokens.ts'

export const TEXT_BYTES_MAX = 256 * 1024

/** A token as it goes out. Text is latin1: one character a byte. */
export interface Piece {
  /** `raw` is text of ours. */
  readonly kind: Token['kind'] | 'raw'
  /** As it goes out. */
  readonly text: string
  /** What it says: a word in upper case, a quoted name without its quotes. */
  readonly key: string
  /** Whether a blank stands before it. */
  readonly blank: boolean
  /** Round brackets that are open around it. */
  readonly depth: number
  /** The byte at which it stood in the statement as it came; undefined: it is of ours. */
  readonly at?: number
}

export interface PlainText {
  readonly pieces: readonly Piece[]
  /** Name of the output format; undefined: the statement says none. */
  readonly format: string | undefined
}

const marks = new Set('()[]{},.+-*/%<>=!|?:^')
const formatName = /^[A-Za-z][A-Za-z0-9]{0,63}$/

/** Throws QUERY_REFUSED where the text holds what has more than one reading, or more than one statement. */
export function readText (sql: string): PlainText {
  const bytes = Buffer.from(sql)
  if (bytes.length > TEXT_BYTES_MAX) throw refused(`The statement is longer than ${TEXT_BYTES_MAX / 1024} KiB`, 'Send long lists of values as parameters of several statements.')
  const text = bytes.toString('latin1')
  const tokens = [...tokenize(text)]
  while (tokens.at(-1)?.text === ';' && tokens.at(-1)?.kind === 'mark') tokens.pop()
  const pieces = tokens.map((token, i): Piece => ({
    ...written(token, text.slice(token.start, token.end)),
    blank: i > 0 && tokens[i - 1]?.end !== token.start,
    depth: token.depth,
    at: token.start
  }))
  if (pieces.length === 0) throw refused('There is no statement', 'Send one SELECT.')
  const [clause, name] = pieces.slice(-2)
  if (clause?.kind === 'word' && clause.key === 'FORMAT' && clause.depth === 0 && name?.kind === 'word' && formatName.test(name.text) && pieces.length > 2) {
    return { pieces: pieces.slice(0, -2), format: name.text }
  }
  return { pieces, format: undefined }
}

/** The statement as the engine gets it. */
export function writeText (pieces: readonly Piece[]): string {
  return Buffer.from(pieces.map(({ blank, text }) => blank ? ` ${text}` : text).join('').trim(), 'latin1').toString()
}

/** Text of ours in the place of tokens, of which this was the first; it stands alone. */
export function rawPiece (text: string, { depth, at }: Piece): Piece {
  return { kind: 'raw', text: Buffer.from(`${text} `).toString('latin1'), key: '', blank: true, depth, ...(at !== undefined && { at }) }
}

/** The name that a word or a quoted name says; undefined: it is neither. */
export function nameOf (piece: Piece | undefined): string | undefined {
  if (piece?.kind === 'word') return piece.text
  return piece?.kind === 'name' ? Buffer.from(piece.key, 'latin1').toString() : undefined
}

export function isMark (piece: Piece | undefined, mark: string): boolean {
  return piece?.kind === 'mark' && piece.text === mark
}

export function isWord (piece: Piece | undefined, ...words: readonly string[]): boolean {
  return piece?.kind === 'word' && words.includes(piece.key)
}

export function refused (message: string, remedy?: string): PlatformError {
  return new PlatformError('QUERY_REFUSED', message, remedy === undefined ? {} : { remedy })
}

function written ({ kind, text }: Token, raw: string): Pick<Piece, 'kind' | 'text' | 'key'> {
  if (kind === 'string') return { kind, text: writtenString(raw), key: '' }
  if (kind === 'name') return { kind, text: raw, key: innerName(raw) }
  if (kind === 'word') {
    if (!/^\w+$/.test(raw)) throw refused(`A name with other letters than A to Z must be quoted: ${shown(raw)}`, 'Write it in backquotes.')
    return { kind, text: raw, key: text }
  }
  if (raw === ';') throw refused('Several statements in one request are not allowed', 'Send them one by one.')
  if (!marks.has(raw)) throw refused(`The character ${shown(raw)} is not allowed here`, 'Use the quotes \' for text and ` for names.')
  return { kind, text: raw, key: raw }
}

function writtenString (raw: string): string {
  if (raw.startsWith('$')) throw refused('Here documents ($$ … $$) are not allowed', 'Write the text in single quotes.')
  if (raw.length < 2 || !closes(raw)) throw refused('A text has no closing quote')
  // What follows a backslash stays with it.
  return raw.replaceAll(/\\[\s\S]|;/g, found => found === ';' ? '\\x3B' : found === '\\;' ? '\\\\\\x3B' : found)
}

/** Whether the quote at the end is one that closes. */
function closes (raw: string): boolean {
  return /^'(?:[^'\\]|\\[\s\S]|'')*'$/.test(raw)
}

function innerName (raw: string): string {
  const inner = raw.slice(1, -1)
  // eslint-disable-next-line no-control-regex
  if (raw.length < 3 || raw.at(-1) !== raw[0] || inner.includes(raw[0] as string) || /[\\;\x00-\x1f\x7f]/.test(inner)) {
    throw refused(`The quoted name ${shown(raw)} is not allowed`, 'Names hold no quotes, backslashes, semicolons and line ends.')
  }
  return inner
}

function shown (raw: string): string {
  return JSON.stringify(Buffer.from(raw.slice(0, 60), 'latin1').toString())
}
