// Where a statement is wrong. The engine counts in the text that it got, in which names were replaced, comments are gone
// and EXPLAIN AST stands before; who asked counts in their own.

import { EngineRefusal } from '../clickhouse/ask.ts'
import type { Piece } from './text.ts'

const place = / at position (\d+)( \([^]*?\))(?: \(line \d+, col \d+\))?(?=:|\.|$)/

export interface Asked {
  /** As it came. */
  readonly sql: string
  /** As it went out. */
  readonly pieces: readonly Piece[]
  /** Bytes that stood before it. */
  readonly before: number
}

/** The refusal with the position, line and column of the text as it came, all from 1. */
export function inOwnPlace (error: unknown, { sql, pieces, before }: Asked): unknown {
  if (!(error instanceof EngineRefusal)) return error
  return new EngineRefusal(error.code, error.message.replace(place, (_, position: string, token: string) => {
    const at = originOf(pieces, Number(position) - 1 - before)
    if (at === undefined) return ` at ${token.slice(2, -1)}`
    const lines = Buffer.from(sql).subarray(0, at).toString().split('\n')
    return ` at position ${lines.join('\n').length + 1}${token} (line ${lines.length}, col ${(lines.at(-1) as string).length + 1})`
  }))
}

/** Byte of the original at which the piece began that is at a byte of the text; undefined: it is behind the last one, or of ours. */
function originOf (pieces: readonly Piece[], at: number): number | undefined {
  let end = pieces[0]?.blank === true ? -1 : 0
  for (const { blank, text, at: origin } of pieces) {
    end += text.length + (blank ? 1 : 0)
    if (at < end) return origin
  }
  return undefined
}
