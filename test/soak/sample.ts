// What a running platform needs: of its process and its engine's, from /proc, and of its data folder.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { openLakeTable } from '../../runtime/lake/table.ts'
import { lakeOptions, openLake } from '../../runtime/lake/lakes.ts'
import { residentMiB } from '../bench/measure.ts'
import { configure } from '../conform/configure.ts'
import type { RunningPlatform } from '../system/project.ts'

export interface Sample {
  /** Hours since the first one. */
  readonly hours: number
  /** Resident MiB of the runtime, its threads included. */
  readonly platform: number
  readonly engine: number
  /** Open file descriptors of the runtime. */
  readonly files: number
  readonly threads: number
  /** MiB on the disk. */
  readonly topics: number
  readonly control: number
  /** Of the streaming database, compressed. */
  readonly storedBytesARow: number
}

const KIB = 1024

/** Returns a function that looks once. */
export function sampler (platform: RunningPlatform, dataFolder: string): () => Promise<Sample> {
  const pid = platform.process.pid as number
  const began = performance.now()
  return async () => ({
    hours: (performance.now() - began) / 3_600_000,
    platform: residentMiB(pid),
    engine: engineMiB(platform),
    files: readdirSync(`/proc/${pid}/fd`).length,
    threads: readdirSync(`/proc/${pid}/task`).length,
    topics: folderMiB(join(dataFolder, 'topics')),
    control: fileMiB(join(dataFolder, 'control.db')) + fileMiB(join(dataFolder, 'control.db-wal')),
    storedBytesARow: await storedBytesARow(platform)
  })
}

/** Growth of a series an hour, by least squares; 0 of fewer than two samples. */
export function growthAnHour (samples: readonly Sample[], series: keyof Sample): number {
  const mean = (of: (sample: Sample) => number): number => samples.reduce((sum, sample) => sum + of(sample), 0) / Math.max(1, samples.length)
  const [hours, value] = [mean(sample => sample.hours), mean(sample => sample[series])]
  const spread = samples.reduce((sum, sample) => sum + (sample.hours - hours) ** 2, 0)
  return spread === 0 ? 0 : samples.reduce((sum, sample) => sum + (sample.hours - hours) * (sample[series] - value), 0) / spread
}

/** Rows that the lake's manifest counts, and how many different values of `n` its files hold. */
export async function lakeRows (dataFolder: string): Promise<{ rows: number, numbers: number }> {
  const objects = await openLake(configure({ options: lakeOptions }, {}), { dataFolder, owner: 'soak.' })
  const { files } = await openLakeTable(objects, 'quotes').read()
  objects.close()
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  try {
    const names = files.map(({ name }) => `'${join(dataFolder, 'lake', name)}'`).join(', ')
    const found = await connection.runAndReadAll(`SELECT count(*) AS rows, count(DISTINCT n) AS numbers FROM read_parquet([${names}])`)
    const [row] = found.getRowObjectsJson()
    return { rows: Number(row?.['rows']), numbers: Number(row?.['numbers']) }
  } finally {
    connection.closeSync()
  }
}

function engineMiB (platform: RunningPlatform): number {
  const pid = /"pid":(\d+)/.exec(platform.output())?.[1]
  return pid === undefined || !existsSync(`/proc/${pid}`) ? 0 : residentMiB(Number(pid))
}

async function storedBytesARow (platform: RunningPlatform): Promise<number> {
  const [found] = await platform.query<{ bytes: number }>("SELECT sum(bytes_on_disk) / greatest(1, sum(rows)) AS bytes FROM system.parts WHERE active AND database = 'streaming' AND table = 'quotes'")
  return Number(found?.bytes ?? 0)
}

function folderMiB (folder: string): number {
  return existsSync(folder) ? readdirSync(folder).reduce((sum, name) => sum + fileMiB(join(folder, name)), 0) : 0
}

/** 0 where it went meanwhile. */
function fileMiB (path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) / KIB ** 2
}
