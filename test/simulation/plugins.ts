// The plugins of the simulated project: a source that gives its rows again from a checkpoint, the mapping and the sink of
// the streaming database as they are, and an output that keeps a lake through its manifest.

import mapping from '../../plugins/transforms/mapping/index.ts'
import { TableSink } from '../../plugins/outputs/streaming-database/sink.ts'
import { PlatformError } from '../../runtime/errors.ts'
import { fromRows, defineInput, defineOutput } from '../../runtime/plugin.ts'
import { isHeld, openLakeTable } from '../../runtime/lake/table.ts'
import { BEGIN, table, topic } from './project.ts'
import type { ClickHouse } from '../../runtime/clickhouse/client.ts'
import type { LakeFile } from '../../runtime/lake/manifest.ts'
import type { Batch, Context, Plugin, Range, Sink } from '../../runtime/plugin.ts'
import type { Faults } from './faults.ts'
import type { Bucket } from './objects.ts'
import type { SourceRow } from './project.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface PluginParts {
  readonly time: VirtualTime
  readonly faults: Faults
  readonly random: () => number
  readonly rows: readonly SourceRow[]
  /** Between one row of the source and the next, ms. */
  readonly rowMs: number
  streaming (): ClickHouse
  bucket (): Bucket
  /** Broken: a flush resolves before its rows are durable. */
  readonly flushesLate?: boolean
  /** Broken: the read-back finds nothing. */
  readonly readsNothing?: boolean
}

const CHUNK_ROWS_MAX = 8
const POLL_MS_MAX = 500
const IDLE_MS = 60_000

/** Finds the plugins of one process. */
export function pluginsOf (parts: PluginParts): (kind: Plugin['kind'], name: string) => Promise<Plugin> {
  const plugins: Readonly<Record<string, Plugin>> = { source: source(parts), mapping: mapping as unknown as Plugin, 'streaming-database': database(parts), lake: lake(parts) }
  return async (_, name) => plugins[name] as Plugin
}

function source ({ time, faults, random, rows, rowMs }: PluginParts): Plugin {
  const error = (): Error => new PlatformError('SOURCE_UNAVAILABLE', 'the source does not answer')
  return defineInput({
    description: 'Rows by number',
    options: {},
    async * read (_, { checkpoint, signal, reject }) {
      let n = (checkpoint ?? 0) as number
      while (!signal.aborted) {
        const chunk = await faults.call(`source: read from ${n}`, { error, signal }, () => rows.slice(n, Math.min(n + 1 + Math.floor(random() * CHUNK_ROWS_MAX), Math.floor((time.now - BEGIN) / rowMs))))
        if (chunk.length === 0) {
          await time.sleep(n === rows.length ? IDLE_MS : rowMs + random() * POLL_MS_MAX, signal).catch(() => { /* the loop looks at the signal */ })
          continue
        }
        for (const row of chunk) if (row.fate === 'input') reject({ ...row }, 'the source has marked it as void')
        n += chunk.length
        yield { batch: fromRows(topic, chunk.filter(({ fate }) => fate !== 'input').map(({ n, symbol, at, price }) => ({ n, symbol, at, price }))), checkpoint: n }
      }
    }
  }) as unknown as Plugin
}

function database ({ streaming, flushesLate = false, readsNothing = false }: PluginParts): Plugin {
  return defineOutput({
    description: 'The streaming database',
    guarantee: 'exactly once',
    options: {},
    async open (_, context) {
      const sink = new TableSink(streaming(), { schema: topic, table, lane: 'streaming', seconds: 120 }, context)
      return {
        own: owner => sink.own(owner),
        write: batch => sink.write(batch),
        async flush (range) {
          const flushing = sink.flush(range)
          if (!flushesLate) return flushing
          flushing.catch(() => { /* nobody will know */ })
        },
        landed: async range => readsNothing ? new Float64Array() : sink.landed(range),
        close: () => sink.close()
      }
    }
  }) as unknown as Plugin
}

/** A flush as the output lake does it: the file, then the commit. Its file has the numbers of the rows. */
function lake ({ bucket }: PluginParts): Plugin {
  return defineOutput({
    description: 'The lake',
    guarantee: 'idempotent',
    raw: true,
    options: {},
    open: async (_, context) => lakeSink(bucket(), context)
  }) as unknown as Plugin
}

function lakeSink (bucket: Bucket, { clock }: Context): Sink {
  const objects = bucket.open()
  const manifest = openLakeTable(objects, topic.name, () => clock.now())
  let batches: Batch[] = []
  return {
    async write (batch) { batches.push(batch) },
    async flush ({ partition, from, to }: Range) {
      const written = batches
      batches = []
      const times = written.map(({ position }) => position.time)
      const place = { partition, from, to, ingest: { from: Math.min(...times), to: Math.max(...times) } }
      if (isHeld((await manifest.read()).files, place)) return
      const numbers = written.flatMap(batch => [...batch.rows()].map(row => Number(row['n'])))
      await manifest.commit({ add: [await putFile(bucket, objects, { ...place, name: `quotes/date=2024-01-10/quotes-${partition}-${from}-${to}.parquet` }, numbers)] })
    },
    async close () { objects.close() }
  }
}

/** Writes one file of the lake. */
export async function putFile (bucket: Bucket, objects: ReturnType<Bucket['open']>, place: Pick<LakeFile, 'name' | 'partition' | 'from' | 'to' | 'ingest'>, numbers: readonly number[]): Promise<LakeFile> {
  const bytes = Buffer.from(JSON.stringify(numbers))
  const file = objects.scratchFile()
  bucket.scratch.set(file, bytes)
  await objects.put(place.name, file)
  return { ...place, rows: numbers.length, bytes: bytes.length, sha256: '', event: undefined, days: {}, schema: topic.hash }
}
