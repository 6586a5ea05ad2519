import { quoteTable, quoteText } from './sql.ts'
import type { ClickHouse, StatementOptions } from './client.ts'
import type { TableName } from './sql.ts'

/** Rows that lie beside each other in their topics, as a condition in SQL. */
export interface PositionChunk {
  readonly condition: string
  readonly rows: number
}

/** The rows of a table that `where` holds for, in chunks of about `rowsMax` rows, by topic, partition and offset. */
export async function positionChunks (client: ClickHouse, table: TableName, where: string, rowsMax: number, options: StatementOptions = {}): Promise<PositionChunk[]> {
  const chunk = `(_topic, _partition, intDiv(_offset, ${rowsMax}))`
  const chunks = await client.rows<{ chunk: [string, number, string], rows: string }>(`SELECT ${chunk} AS chunk, count() AS rows FROM ${quoteTable(table)} WHERE ${where} GROUP BY chunk ORDER BY chunk`, options)
  const found: PositionChunk[] = []
  for (let i = 0; i < chunks.length;) {
    const together: string[] = []
    let rows = 0
    do {
      const { chunk: [topic, partition, part], rows: more } = chunks[i++] as typeof chunks[number]
      together.push(`(${quoteText(topic)}, ${partition}, ${part})`)
      rows += Number(more)
    } while (i < chunks.length && rows + Number(chunks[i]?.rows) <= rowsMax)
    found.push({ condition: `${chunk} IN (${together.join(', ')})`, rows })
  }
  return found
}
