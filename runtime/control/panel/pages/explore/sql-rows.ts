import { ApiProblem, send } from '../../kit/api.ts'
import type { DatasetColumn, Row } from '../data/shapes.ts'

/** Rows of a statement that the page holds; the rest is not read. */
const ROWS_MAX = 10_000
const FORMAT = 'JSONCompactEachRowWithNamesAndTypes'

export interface SqlRows {
  readonly columns: readonly DatasetColumn[]
  readonly rows: readonly Row[]
  /** There were more. */
  readonly cut: boolean
}

/** Reads the answer line by line, and leaves where the page has enough. Rejects with an ApiProblem. */
export async function readRows (sql: string, signal: AbortSignal): Promise<SqlRows> {
  const enough = new AbortController()
  const response = await send('POST', `/v1/sql?format=${FORMAT}`, { body: sql, type: 'text/plain', signal: AbortSignal.any([signal, enough.signal]) })
  const lines: unknown[][] = []
  let rest = ''
  if (response.body === null) return { columns: [], rows: [], cut: false }
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) if (part !== '') lines.push(read(part))
    if (lines.length > ROWS_MAX + 2) break
  }
  enough.abort()
  const [names = [], types = [], ...rows] = lines
  return {
    columns: names.map((name, i) => ({ name: String(name), type: String(types[i]) })),
    rows: rows.slice(0, ROWS_MAX).map(values => Object.fromEntries(values.map((value, i) => [String(names[i]), value]))),
    cut: rows.length > ROWS_MAX
  }
}

/** What fails in the middle of an answer comes as text behind the rows. */
function read (line: string): unknown[] {
  try {
    return JSON.parse(line) as unknown[]
  } catch {
    throw new ApiProblem({ status: 500, code: 'CUT', title: 'The answer broke off', detail: line.slice(0, 500), remedy: 'Run it again; where it fails each time, read less.' })
  }
}
