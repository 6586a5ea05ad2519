import { fault } from './errors.ts'
import type { QueryError } from './errors.ts'
import { tokenize } from './tokens.ts'
import type { Token } from './tokens.ts'

/** One SQL statement, taken apart as far as the HTTP face needs it. Offsets are bytes. */
export interface Statement {
  /** The first word in upper case, or '(': SELECT, INSERT, SHOW … */
  readonly verb: string
  /** End of the statement, without a closing semicolon; of an INSERT with data, where the data begin. */
  readonly end: number
  /** The FORMAT clause, if there is one: of the answer, or of an INSERT's data. */
  readonly format?: { readonly name: string, readonly start: number, readonly end: number }
  /** Of an INSERT with data: where FROM INFILE fits, and the input() call to be replaced, if it has one. */
  readonly data?: { readonly clauseAt: number, readonly input?: { readonly start: number, readonly args: number, readonly end: number } }
  /** Of a statement that is short enough to be looked at whole: everything but an INSERT with data. */
  readonly tokens: readonly Token[]
}

/** Takes the statement apart; throws what a server answers to none, to several, and to those that reach for files of the client. */
export function analyse (text: string): Statement {
  const tokens: Token[] = []
  const stream = tokenize(text)
  let insert = false
  for (const token of stream) {
    tokens.push(token)
    if (tokens.length === 1) insert = token.text === 'INSERT'
    if (insert && token.depth === 0 && dataBegins(tokens)) {
      if (tokens.at(-2)?.text !== 'FORMAT') refuseBehindValues(text, stream)
      return insertOf(text, tokens)
    }
  }
  const first = tokens[0]
  if (first === undefined || first.text === ';') throw fault('SYNTAX_ERROR', 'Syntax error: failed at position 1 (end of query). Empty query')
  const end = refuseSeveral(text, tokens)
  refuseFiles(first.text, tokens)
  const format = formatOf(text, end)
  return { verb: first.text, end: end.at(-1)?.end ?? text.length, tokens: end, ...(format === undefined ? {} : { format }) }
}

/** VALUES, or FORMAT with a name, outside brackets and behind the table's name, ends the SQL of an INSERT. */
function dataBegins (tokens: readonly Token[]): boolean {
  const last = tokens.at(-1)
  const before = tokens.at(-2)
  if (last?.kind !== 'word' || tokens.length < 4 || before === undefined) return false
  if (last.text === 'VALUES' && before.text !== 'FORMAT') return nameEnds(tokens, tokens.length - 1) && !selects(tokens)
  return before.text === 'FORMAT' && before.depth === 0 && nameEnds(tokens, tokens.length - 2) && (!selects(tokens) || inputOf(tokens) !== undefined)
}

function selects (tokens: readonly Token[]): boolean {
  return tokens.some(({ kind, text, depth }, i) => kind === 'word' && depth === 0 && i > 2 && (text === 'SELECT' || text === 'WITH'))
}

/** Whether the token at `index` can be a clause: a table may be called `format` or `values`. */
function nameEnds (tokens: readonly Token[], index: number): boolean {
  const previous = tokens[index - 1]
  return previous !== undefined && previous.text !== '.' && previous.text !== 'INTO' && previous.text !== 'TABLE' && previous.text !== 'FUNCTION'
}

function insertOf (text: string, tokens: readonly Token[]): Statement {
  refuseFiles('INSERT', tokens)
  const last = tokens.at(-1)
  if (last === undefined) throw new Error('an INSERT without tokens')
  const values = tokens.at(-2)?.text !== 'FORMAT'
  const start = values ? last.start : tokens.at(-2)?.start ?? last.start
  const settings = tokens.find(({ kind, text, depth }) => kind === 'word' && text === 'SETTINGS' && depth === 0)
  const input = inputOf(tokens)
  return {
    verb: 'INSERT',
    end: dataAt(text, last.end),
    format: { name: values ? 'Values' : text.slice(last.start, last.end), start, end: last.end },
    data: { clauseAt: settings?.start ?? start, ...(input === undefined ? {} : { input }) },
    tokens
  }
}

/** Blanks up to the first line end are between the clause and the data; all else is data. */
function dataAt (text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\r') at++
  return text[at] === '\n' ? at + 1 : at
}

/** The call of `input('structure')` in an INSERT … SELECT. */
function inputOf (tokens: readonly Token[]): { start: number, args: number, end: number } | undefined {
  const index = tokens.findIndex(({ kind, text }, i) => kind === 'word' && text === 'INPUT' && tokens[i + 1]?.text === '(')
  const call = tokens[index]
  const open = tokens[index + 1]
  if (call === undefined || open === undefined) return undefined
  const close = tokens.slice(index + 2).find(({ text, depth }) => text === ')' && depth === open.depth)
  return close === undefined ? undefined : { start: call.start, args: open.end, end: close.end }
}

/** The tokens of the one statement. A server runs one a request; the engine would run them all. */
function refuseSeveral (text: string, tokens: readonly Token[]): readonly Token[] {
  const semicolon = tokens.findIndex(isSemicolon)
  const stop = tokens[semicolon]
  if (stop === undefined) return tokens
  if (!tokens.slice(semicolon).every(isSemicolon)) throw several(text, stop)
  return tokens.slice(0, semicolon)
}

/** The engine stops reading VALUES at a semicolon and drops what follows without a word. */
function refuseBehindValues (text: string, rest: Iterable<Token>): void {
  let stop: Token | undefined
  for (const token of rest) {
    if (isSemicolon(token)) stop ??= token
    else if (stop !== undefined) throw several(text, stop)
  }
}

function isSemicolon ({ kind, text }: Token): boolean {
  return kind === 'mark' && text === ';'
}

function several (text: string, stop: Token): QueryError {
  const rest = Buffer.from(text.slice(stop.start, stop.start + 200), 'latin1').toString()
  return fault('SYNTAX_ERROR', `Syntax error (Multi-statements are not allowed): failed at position ${stop.start + 1} (end of query): ${rest}`)
}

/** A server has no files of a client; the engine would open its own. */
function refuseFiles (verb: string, tokens: readonly Token[]): void {
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'word') continue
    const previous = tokens[i - 1]
    if (token.text === 'OUTFILE' && previous?.text === 'INTO' && tokens[i - 2]?.text !== 'INSERT') {
      throw fault('INTO_OUTFILE_NOT_ALLOWED', 'INTO OUTFILE is not allowed')
    }
    if (token.text === 'INFILE' && previous?.text === 'FROM' && verb === 'INSERT' && token.depth === 0) {
      throw fault('UNKNOWN_TYPE_OF_QUERY', 'Query has infile and was sent directly to the server')
    }
  }
}

/** The last FORMAT clause outside brackets, with nothing but SETTINGS behind it. */
function formatOf (text: string, tokens: readonly Token[]): { name: string, start: number, end: number } | undefined {
  for (let i = tokens.length - 2; i > 0; i--) {
    const clause = tokens[i]
    const name = tokens[i + 1]
    if (clause?.text !== 'FORMAT' || clause.kind !== 'word' || clause.depth !== 0 || name?.kind !== 'word') continue
    const next = tokens[i + 2]
    return next === undefined || next.text === 'SETTINGS' || next.text === 'INTO' ? { name: text.slice(name.start, name.end), start: clause.start, end: name.end } : undefined
  }
  return undefined
}
