// What a dataset promises, and how it is: for the catalogue.

import { join } from 'node:path'
import { readModels } from '../clickhouse/models.ts'
import { levelOf } from '../quality/threshold.ts'
import type { Platform } from '../platform.ts'
import { answerRows } from './answer.ts'
import type { Asker } from './answer.ts'
import type { Readable } from './catalog.ts'
import { boundsOf } from './days.ts'
import type { Bounds } from './days.ts'
import { kinds } from './kinds.ts'
import { pinOf } from './pin.ts'

/** How long bounds count as known: the list of all datasets asks for those of each. */
const BOUNDS_MS = 5000
const BOUNDS_MAX = 1000
const SAMPLE_ROWS = 5
const everything = { start: undefined, end: undefined }
const known = new WeakMap<object, Map<string, { readonly at: number, readonly bounds: Bounds }>>()

/** Bounds of what the grant shows, a few seconds old at most. */
export async function knownBounds (platform: Platform, readable: Readable, asker: Asker): Promise<Bounds> {
  const cache = known.get(platform.store) ?? new Map<string, { at: number, bounds: Bounds }>()
  known.set(platform.store, cache)
  const name = JSON.stringify([readable.name, readable.grant.where ?? null])
  const hit = cache.get(name)
  if (hit !== undefined && performance.now() - hit.at < BOUNDS_MS) return hit.bounds
  const pin = await pinOf(platform, readable.name, { range: everything, signal: asker.signal })
  const bounds = await boundsOf(platform, readable, { pin, ...asker })
  cache.delete(name)
  cache.set(name, { at: performance.now(), bounds })
  for (const [oldest] of cache) if (cache.size > BOUNDS_MAX) cache.delete(oldest)
  return bounds
}

export async function contractOf (platform: Platform, readable: Readable, asker: Asker): Promise<object> {
  const { name, dataset: { schema, feeds }, columns, key, time } = readable
  const bounds = await knownBounds(platform, readable, asker)
  const seconds = bounds.last_ingest_at === null ? null : Math.max(0, Math.round((Date.now() - Date.parse(bounds.last_ingest_at)) / 1000))
  const rule = schema.quality?.find(({ metric }) => metric === 'freshness')
  const stale = rule !== undefined && seconds !== null && levelOf(rule, seconds) !== 'ok'
  return {
    dataset: name,
    title: schema.description,
    owner: schema.owner,
    topic: [...feeds.keys()].join(', '),
    key: key.map(({ name }) => name).filter(name => columns.has(name)),
    event_time: columns.has(time.name) ? time.name : '',
    columns: [...columns.values()],
    freshness: { last_event_at: bounds.end, last_ingest_at: bounds.last_ingest_at, seconds, state: seconds === null ? 'quiet' : stale ? 'stale' : 'fresh' },
    rows: bounds.rows,
    boundary_day: bounds.boundary?.slice(0, 10) ?? null,
    guarantee: 'exactly once'
  }
}

/** The contract, with the newest rows, where they come from and go to, and what must hold of them. */
export async function fullContract (platform: Platform, readable: Readable, asker: Asker): Promise<object> {
  const { name, dataset } = readable
  const { schema, feeds } = dataset
  // A file that is wrong is told of where models are made.
  const models = await readModels(join(platform.root, 'schemas', 'models')).catch(() => [])
  const pipelines = [...platform.supervisor.files.pipelines.values()].filter(({ topic }) => feeds.has(topic))
  const sample = await answerRows(platform, { ...kinds.data(platform, asker, name, {}), params: { sort: 'desc', page_size: SAMPLE_ROWS }, format: 'json' })
  return {
    ...await contractOf(platform, readable, asker),
    sample: (JSON.parse(String(sample.body)) as { rows: object[] }).rows,
    lineage: {
      inputs: pipelines.flatMap(({ input }) => input === undefined ? [] : [input.plugin]),
      pipelines: pipelines.map(({ id }) => id),
      outputs: [...new Set(pipelines.flatMap(({ outputs }) => outputs.map(({ plugin }) => plugin)))],
      models: models.filter(({ tables }) => tables.includes(dataset.table.table)).map(({ name }) => name)
    },
    quality: { rules: (schema.quality ?? []).map(({ name, description, metric }) => ({ name, description, metric })) },
    examples: {
      curl: `curl -H "Authorization: Bearer $TWOLANE_TOKEN" "$TWOLANE_URL/v1/data/${name}.csv?last=1d"`,
      pandas: `pd.read_csv(f"{url}/v1/data/${name}.csv?last=1d", storage_options={"Authorization": f"Bearer {token}"})`,
      polars: `pl.read_csv(requests.get(f"{url}/v1/data/${name}.csv?last=1d", headers={"Authorization": f"Bearer {token}"}).content)`
    }
  }
}
