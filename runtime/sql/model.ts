// Whether a model may say what it says. It becomes a view that the platform itself makes, with all of its rights on the
// engine: so one that comes over the network is held against the lists of the statements of users (guard.ts).

import { EngineRefusal } from '../clickhouse/ask.ts'
import { PlatformError } from '../errors.ts'
import { checkText, checkTree } from './guard.ts'
import { openTables } from './rewrite.ts'
import { treeOf, worldsOf } from './run.ts'
import { readText } from './text.ts'
import type { Platform } from '../platform.ts'

const CHECK_MS_MAX = 20_000

/** What a SELECT calls or reads besides tables without a database, in one sentence; undefined: nothing. Throws ENGINE_UNAVAILABLE. */
export async function modelProblem (platform: Platform, sql: string): Promise<string | undefined> {
  const worlds = worldsOf(platform)
  const [{ databases }, functions] = await Promise.all([worlds.catalog(), worlds.functions()])
  try {
    const { pieces } = readText(sql)
    checkText(pieces, { functions, databases })
    // The text as it stands, as the view will hold it.
    const tree = await treeOf(platform.clickhouse as string, { sql: `SELECT * FROM (${sql}\n)`, settings: { readonly: '2' }, signal: AbortSignal.timeout(CHECK_MS_MAX) })
    checkTree(tree, pieces, { functions, databases, tables: new Set([...openTables].map(table => `system.${table}`)) })
    return undefined
  } catch (error) {
    if (error instanceof EngineRefusal || (error instanceof PlatformError && error.code === 'QUERY_REFUSED')) return error.message
    throw error
  }
}
