// Rows of the topic `_platform` as rows of the two tables. Each one becomes exactly one row of one table: the recorder
// counts by offset what has landed.

import type { Batch, Row } from '../batch.ts'

/** Of a text in the log; what is longer is cut. */
const CHARACTERS_MAX = 8000

export interface StoredRows {
  readonly logs: Row[]
  readonly metrics: Row[]
}

interface Measured { readonly kind?: string, readonly increase?: number, readonly bounds?: readonly number[], readonly counts?: readonly number[] }

/** As ClickHouse takes them in JSONEachRow. */
export function storedRows (batches: readonly Batch[]): StoredRows {
  const found: StoredRows = { logs: [], metrics: [] }
  for (const batch of batches) {
    for (let i = 0; i < batch.length; i++) {
      const row = batch.row(i)
      const at = { time: timeText(row['time'], batch.position.time), runtime: word(row['runtime']), part: word(row['pipeline']), step: word(row['step']), _offset: batch.offsetAt(i) }
      if (row['kind'] === 'metric') found.metrics.push({ ...at, ...metric(row) })
      else found.logs.push({ ...at, level: word(row['level']), message: text(row['name']), fields: text(JSON.stringify(row['fields'] ?? {})) })
    }
  }
  return found
}

function metric ({ name, value, fields }: Row): Row {
  const { kind = 'gauge', increase = 0, bounds = [], counts = [] } = (fields ?? {}) as Measured
  return { name: word(name), kind, value: Number(value ?? 0), increase, bounds, counts }
}

function timeText (time: unknown, otherwise: number): string {
  const ms = typeof time === 'number' && Number.isFinite(time) ? time : otherwise
  return new Date(Math.min(Math.max(0, ms), 4e12)).toISOString().replace('T', ' ').replace('Z', '')
}

function word (value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 200) : ''
}

function text (value: unknown): string {
  const given = String(value ?? '')
  return given.length <= CHARACTERS_MAX ? given : `${given.slice(0, CHARACTERS_MAX)}…`
}
