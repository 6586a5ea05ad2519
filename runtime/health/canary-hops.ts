// Where a row of the canary is looked for: what its pipelines say. A hop is asked for the row itself, and only once the
// output has committed it, so that looking costs next to nothing.

import { groupOf } from '../run.ts'
import { openLake } from '../lake/lakes.ts'
import { openLakeTable } from '../lake/table.ts'
import { connectClickHouse } from '../clickhouse/client.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import { datasetName, warehouseTable } from '../warehouse/views.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { LakeConfig } from '../lake/lakes.ts'
import type { LakeTable } from '../lake/table.ts'
import type { Objects } from '../objects/objects.ts'
import type { Pipeline } from '../pipeline.ts'

/** The topic of the canary. */
export const CANARY = 'canary'
/** What a hop may take beyond the time that its output gathers rows. */
export const GRACE_MS = 60_000

export interface Hop {
  /** `connector`, `topic`, `streaming database`, `data`, `warehouse` or `lake`. */
  readonly hop: string
  /** The output that takes the row there, and its pipeline; empty: the connector. */
  readonly pipeline: string
  readonly step: string
  /** The consumer group whose commit comes before the row can be found; undefined: of the broker itself. */
  readonly group: string | undefined
  /** The row has to be there so long after it was made. */
  readonly msMax: number
  readonly table?: TableName
  readonly lake?: LakeConfig
}

/** The hops in the order of a row's way; none: no pipeline sends the canary. */
export function hopsOf (pipelines: Iterable<Pipeline>): Hop[] {
  const own = [...pipelines].filter(({ topic, enabled }) => topic === CANARY && enabled)
  const source = own.find(({ input }) => input !== undefined)
  if (source === undefined) return []
  const hops: Hop[] = ['connector', 'topic'].map(hop => ({ hop, pipeline: source.id, step: source.input?.name ?? '', group: undefined, msMax: GRACE_MS }))
  for (const { id, outputs } of own) {
    for (const { plugin, name: step, config, flush } of outputs) {
      const place = { pipeline: id, step, group: groupOf(id, step), msMax: flush.ms + GRACE_MS }
      if (plugin === 'streaming-database' && config['url'] === null) {
        const table = { database: String(config['database']), table: String(config['table'] ?? CANARY) }
        hops.push({ hop: 'streaming database', ...place, table }, { hop: 'data', ...place, table: { database: 'data', table: datasetName(table) } })
      } else if (plugin === 'warehouse' && config['url'] === null) {
        hops.push({ hop: 'warehouse', ...place, table: warehouseTable(String(config['table'] ?? CANARY)) })
      } else if (plugin === 'lake') {
        hops.push({ hop: 'lake', ...place, lake: config as unknown as LakeConfig })
      }
    }
  }
  return hops
}

/** Finds rows of the canary at hops. Connections are kept open between looks. */
export class Finder {
  readonly #urls: { readonly clickhouse: string | undefined, readonly warehouse: string | undefined }
  readonly #dataFolder: string
  readonly #clients = new Map<string, ClickHouse>()
  readonly #lakes = new Map<string, { readonly objects: Objects, readonly table: LakeTable }>()

  constructor ({ clickhouse, warehouse, dataFolder }: { readonly clickhouse: string | undefined, readonly warehouse: string | undefined, readonly dataFolder: string }) {
    this.#urls = { clickhouse, warehouse }
    this.#dataFolder = dataFolder
  }

  /** Whether the row at that offset is there. Throws where the hop cannot be asked. */
  async finds ({ hop, table, lake }: Hop, offset: number, signal: AbortSignal): Promise<boolean> {
    if (lake !== undefined) return (await (await this.#lake(lake)).read()).files.some(({ from, to }) => from <= offset && offset < to)
    if (table === undefined) return true
    const client = await this.#client(hop === 'warehouse' ? this.#urls.warehouse : this.#urls.clickhouse, signal)
    const rows = await client.rows(`SELECT 1 FROM ${quoteTable(table)} WHERE _topic = {topic:String} AND _offset = {offset:Int64} LIMIT 1`, { query_params: { topic: CANARY, offset }, signal })
    return rows.length > 0
  }

  async close (): Promise<void> {
    for (const { objects } of this.#lakes.values()) objects.close()
    await Promise.all([...this.#clients.values()].map(client => client.close()))
    this.#lakes.clear()
    this.#clients.clear()
  }

  async #client (url: string | undefined, signal: AbortSignal): Promise<ClickHouse> {
    if (url === undefined) throw new Error('there is no ClickHouse')
    const client = this.#clients.get(url) ?? await connectClickHouse(url, { statementSeconds: 10, signal })
    this.#clients.set(url, client)
    return client
  }

  async #lake (config: LakeConfig): Promise<LakeTable> {
    const key = JSON.stringify(config)
    let lake = this.#lakes.get(key)
    if (lake === undefined) {
      // Of the lake as it was configured before.
      for (const { objects } of this.#lakes.values()) objects.close()
      this.#lakes.clear()
      const objects = await openLake(config, { dataFolder: this.#dataFolder, owner: 'canary.' })
      this.#lakes.set(key, lake = { objects, table: openLakeTable(objects, CANARY) })
    }
    return lake.table
  }
}
