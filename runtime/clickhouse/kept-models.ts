// The models of a table, kept up to date one by one: views are for readers, so one that is wrong stops no row.

import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClickHouse } from './client.ts'
import { applyModels, parseModel } from './models.ts'
import type { Model, ModelTarget } from './models.ts'
import { PlatformError, describe } from '../errors.ts'
import type { Context } from '../plugin.ts'

/** What the models of a folder are about. */
export interface KeptModels extends ModelTarget {
  /** Only models that read this table. */
  readonly of: string
}

/** Makes the views of the folder that read `target.of`; returns their names. Throws only where trying again can help. */
export async function keepModels (client: ClickHouse, folder: string, target: KeptModels, { log, metrics }: Pick<Context, 'log' | 'metrics'>): Promise<string[]> {
  let failed = 0
  const fail = (file: string, error: unknown): void => {
    failed++
    log.error({ file, reason: describe(error) }, 'A model cannot be used, its view is not up to date')
  }

  const applied: string[] = []
  for (const file of await filesOf(folder, fail)) {
    const model = await read(folder, file, target, fail)
    if (model === undefined) continue
    try {
      applied.push(...await applyModels(client, [model], target))
    } catch (error) {
      if (!(error instanceof PlatformError) || error.retryable) throw error
      fail(file, error)
    }
  }
  metrics.gauge('models_failed', failed)
  return applied
}

type Fail = (file: string, error: unknown) => void

async function filesOf (folder: string, fail: Fail): Promise<string[]> {
  try {
    return (await readdir(folder)).filter(file => file.endsWith('.sql')).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') fail(folder, error)
    return []
  }
}

async function read (folder: string, file: string, { of, tables }: KeptModels, fail: Fail): Promise<Model | undefined> {
  const path = join(folder, file)
  let sql = ''
  try {
    sql = await readFile(path, 'utf8')
    return parseModel(path, file.slice(0, -'.sql'.length), sql)
  } catch (error) {
    // One that says what it reads is reported by the outputs of those tables, any other one by all.
    const reads = tablesOf(sql).map(table => tables?.[table] ?? table)
    if (reads.length === 0 || reads.includes(of)) fail(file, error)
    return undefined
  }
}

/** What the comment at the top says, whatever follows it. */
function tablesOf (sql: string): readonly string[] {
  const lines = sql.split('\n')
  const end = lines.findIndex(line => !line.startsWith('--'))
  try {
    return parseModel('', 'comment', [...lines.slice(0, end < 0 ? lines.length : end), 'SELECT 1'].join('\n')).tables
  } catch {
    return []
  }
}
