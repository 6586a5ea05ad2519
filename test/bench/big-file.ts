// A file of many million rows, by the input `file` into an embedded topic, in a process whose memory is looked at: it has
// to stay below 512 MB, whatever the format. `node test/bench/big-file.ts <million rows> [format]`. Linux only.
//
// The limit is on the whole process: heap, buffers and code. The heap alone is held to 256 MB by Node.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import file from '../../plugins/inputs/file/index.ts'
import { openBroker } from '../../runtime/broker/open.ts'
import { ingest, openIngest } from '../../runtime/ingest.ts'
import { Rejects } from '../../runtime/rejects.ts'
import { configure } from '../conform/configure.ts'
import { fakeContext, fakeTopic } from '../conform/context.ts'
import type { InputPlugin } from '../../runtime/plugin.ts'

const limitMiB = 512
const formats = ['csv', 'csv.gz', 'ndjson.zst', 'json', 'parquet']
const how: Readonly<Record<string, string>> = {
  csv: 'header', 'csv.gz': 'header, compression gzip', 'ndjson.zst': 'format json, compression zstd', json: 'format json, array true', parquet: 'compression zstd'
}

const [first = '20', path] = process.argv.slice(2)
if (first === 'take' && path !== undefined) await take(path)
else await measure(Number(first) * 1e6)

async function measure (rows: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
  try {
    for (const format of formats.filter(format => path === undefined || format === path)) {
      const made = join(folder, `rows.${format}`)
      await make(made, format, rows)
      const began = performance.now()
      const { status, stdout } = spawnSync(process.execPath, ['--max-old-space-size=256', import.meta.filename, 'take', made], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
      const seconds = (performance.now() - began) / 1000
      const { taken = 0, peakMiB = 0 } = status === 0 ? JSON.parse(stdout) as { taken?: number, peakMiB?: number } : {}
      const size = `${(statSync(made).size / 2 ** 20).toFixed(0)} MiB`
      console.log(`${format.padEnd(12)}${size.padStart(9)}  ${(rows / seconds / 1e6).toFixed(3)} M rows/s  peak ${peakMiB.toFixed(0)} MiB of ${limitMiB}`)
      if (taken !== rows || peakMiB > limitMiB) {
        console.log(`FAILED: ${taken} of ${rows} rows`)
        process.exitCode = 1
      }
      rmSync(made)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function make (made: string, format: string, rows: number): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '2GB', threads: '2' })
  const connection = await instance.connect()
  await connection.run(`copy (select i as id, 'SYM' || (i % 500) as symbol, round(100 + (i % 10007) * 0.01, 2) as price, i % 1000 as size, '2024-01-02T14:30:' || lpad((i % 60)::varchar, 2, '0') || 'Z' as time
    from range(${rows}) r(i)) to '${made}' (${how[format] ?? ''})`)
  connection.closeSync()
  instance.closeSync()
}

/** The process that is measured. */
async function take (made: string): Promise<void> {
  const topic = fakeTopic('rows', ['id', 'symbol', 'price', 'size', 'time'])
  const broker = await openBroker({ dataFolder: `${made}.data`, kafka: undefined })
  let taken = 0
  const context = fakeContext({ topic, step: 'input', run: { id: 'run', from: 0, to: 1, kind: 'manual' }, services: { producer: (topic, name) => broker.producer(topic, name) } })
  const settings = {
    plugin: file as unknown as InputPlugin,
    config: configure(file, { path: made }),
    rename: {},
    producer: 'bench',
    topic,
    rejects: new Rejects('rows', 'bench', context.clock),
    onDurable: ({ length }: { readonly length: number }) => { taken += length }
  }
  const writers = await openIngest(settings, broker)
  await ingest(settings, writers, context)
  await writers.close()
  await broker.close()
  rmSync(`${made}.data`, { recursive: true, force: true })
  const peakMiB = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0) / 1024
  console.log(JSON.stringify({ taken, peakMiB }))
}
