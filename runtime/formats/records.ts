// Where a CSV record ends: at the first line end outside quotes.

/** How values are told apart. */
export interface Dialect {
  readonly delimiter: string
  /** Empty: nothing is quoted. Doubled inside quotes it stands for itself. */
  readonly quote: string
}

/** Behind the line end of the line at `at`, or behind the text. */
export function afterLine (text: string, at: number): number {
  const lineEnd = text.indexOf('\n', at)
  return lineEnd === -1 ? text.length : lineEnd + 1
}

/** Behind the line end of the record at `at`; -1: a quote is open at the end of the text. A quote inside an unquoted value opens nothing. */
export function afterRecord (text: string, at: number, { delimiter, quote }: Dialect): number {
  let after = afterLine(text, at)
  if (quote === '') return after
  let i = at
  while (true) {
    if (text.startsWith(quote, i)) {
      const closed = afterQuoted(text, i + quote.length, quote)
      if (closed === -1) return -1
      i = closed
      if (i > after) after = afterLine(text, i)
    }
    const next = text.indexOf(delimiter, i)
    if (next === -1 || next >= after) return after
    i = next + delimiter.length
  }
}

/** Lines that begin in [from, to); one begins at `from`. */
export function linesIn (text: string, from: number, to: number): number {
  let lines = 0
  for (let at = from; at < to; at = afterLine(text, at)) lines++
  return lines
}

function afterQuoted (text: string, at: number, quote: string): number {
  let end = text.indexOf(quote, at)
  while (end !== -1 && text.startsWith(quote, end + quote.length)) end = text.indexOf(quote, end + 2 * quote.length)
  return end === -1 ? -1 : end + quote.length
}
