/**
 * ClickHouse SQL cut into tokens, only as far as the HTTP face needs it: where a statement ends, where its clauses and
 * the data of an INSERT begin. Text comes in as latin1 (one character a byte), so offsets are byte offsets and the
 * binary data behind an INSERT does no harm: tokens are made one at a time and reading stops before the data.
 */
export interface Token {
  /** `name` is a quoted identifier; `mark` is one character of punctuation. */
  readonly kind: 'word' | 'name' | 'string' | 'mark'
  readonly start: number
  readonly end: number
  /** Words in upper case; strings and names as written, with their quotes. */
  readonly text: string
  /** How many round brackets are open around the token; a bracket counts itself out. */
  readonly depth: number
}

const space = /\s/
const wordStart = /[\w$\x80-\xff]/
const word = /[\w$\x80-\xff]+/y
const heredocTag = /\$\w*\$/y

export function * tokenize (text: string): Generator<Token, void, void> {
  let depth = 0
  let at = 0
  while (at < text.length) {
    at = skipBlank(text, at)
    const char = text[at]
    if (char === undefined) return
    const start = at
    if (char === '\'') {
      at = endOfQuoted(text, at, char)
      yield { kind: 'string', start, end: at, text: text.slice(start, at), depth }
    } else if (char === '"' || char === '`') {
      at = endOfQuoted(text, at, char)
      yield { kind: 'name', start, end: at, text: text.slice(start, at), depth }
    } else if (char === '$' && endOfHeredoc(text, at) !== undefined) {
      at = endOfHeredoc(text, at) ?? text.length
      yield { kind: 'string', start, end: at, text: text.slice(start, at), depth }
    } else if (wordStart.test(char)) {
      word.lastIndex = at
      word.test(text)
      at = word.lastIndex
      yield { kind: 'word', start, end: at, text: text.slice(start, at).toUpperCase(), depth }
    } else {
      at++
      if (char === ')' && depth > 0) depth--
      yield { kind: 'mark', start, end: at, text: char, depth }
      if (char === '(') depth++
    }
  }
}

/** Past white space and comments. */
function skipBlank (text: string, from: number): number {
  let at = from
  while (at < text.length) {
    const char = text[at] ?? ''
    const next = text[at + 1]
    if (space.test(char)) at++
    else if ((char === '-' && next === '-') || (char === '#' && (next === ' ' || next === '!'))) at = after(text, '\n', at)
    else if (char === '/' && next === '*') at = after(text, '*/', at + 2)
    else break
  }
  return at
}

function after (text: string, what: string, from: number): number {
  const found = text.indexOf(what, from)
  return found === -1 ? text.length : found + what.length
}

/** A doubled quote and a backslash escape do not end the quoted text. */
function endOfQuoted (text: string, from: number, quote: string): number {
  let at = from + 1
  while (at < text.length) {
    const char = text[at]
    if (char === '\\') at += 2
    else if (char !== quote) at++
    else if (text[at + 1] === quote) at += 2
    else return at + 1
  }
  return text.length
}

function endOfHeredoc (text: string, from: number): number | undefined {
  heredocTag.lastIndex = from
  const tag = heredocTag.exec(text)?.[0]
  if (tag === undefined) return undefined
  const close = text.indexOf(tag, from + tag.length)
  return close === -1 ? undefined : close + tag.length
}
