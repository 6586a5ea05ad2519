// An engine with datasets as the platform makes them, and principals that may read some of them.

import { createClient } from '@clickhouse/client'
import { text } from 'node:stream/consumers'
import { runSql } from '../../../runtime/sql/run.ts'
import { allScopes } from '../../../runtime/access/scopes.ts'
import { unlimited } from '../../../runtime/access/principal.ts'
import { startTestEngine } from '../clickhouse/engine.ts'
import type { DatasetGrant, Principal } from '../../../runtime/access/principal.ts'
import type { Platform } from '../../../runtime/platform.ts'
import type { SqlRequest } from '../../../runtime/sql/run.ts'
import type { TestEngine } from '../clickhouse/engine.ts'

/** Stands in everything that must never come out. */
export const SECRET = 'xyzzy'

const statements = [
  'CREATE DATABASE streaming', 'CREATE DATABASE data', 'CREATE DATABASE realtime', 'CREATE DATABASE history', 'CREATE DATABASE warehouse',
  'CREATE TABLE streaming.quotes (symbol LowCardinality(String), at DateTime64(3, \'UTC\'), bid Float64, ask Float64, desk String, tags Array(String), extra JSON, note Nullable(String)) ENGINE = MergeTree ORDER BY (symbol, at)',
  `INSERT INTO streaming.quotes SELECT ['AAPL', 'MSFT', 'IBM'][number % 3 + 1], toDateTime64('2026-01-05 00:00:00', 3, 'UTC') + number, 100 + number, 101 + number,
    if(number % 3 = 2, '${SECRET}', 'open'), ['a', toString(number % 2)], concat('{"venue": "v', toString(number % 2), '", "depth": {"level": ', toString(number), '}}')::JSON, if(number % 5 = 0, NULL, 'n') FROM numbers(300)`,
  'CREATE TABLE streaming.trades (symbol String, at DateTime64(3, \'UTC\'), price Float64, size UInt32) ENGINE = MergeTree ORDER BY (symbol, at)',
  'INSERT INTO streaming.trades SELECT [\'AAPL\', \'MSFT\'][number % 2 + 1], toDateTime64(\'2026-01-05 00:00:00\', 3, \'UTC\') + number * 3, 100 + number, number % 7 + 1 FROM numbers(100)',
  'CREATE TABLE streaming.secrets (name String, value String) ENGINE = MergeTree ORDER BY name',
  `INSERT INTO streaming.secrets VALUES ('password', '${SECRET}')`,
  ...['quotes', 'trades', 'secrets'].flatMap(table => ['data', 'realtime', 'history'].map(lane => `CREATE VIEW ${lane}.${table} AS SELECT * FROM streaming.${table}`))
]

export interface Shop {
  readonly engine: TestEngine
  readonly platform: Platform
  /** The rows, as text in the format. */
  run (sql: string, principal?: Principal, options?: Partial<SqlRequest>): Promise<string>
}

export async function openShop (): Promise<Shop> {
  const engine = await startTestEngine()
  const client = createClient({ url: engine.engine.url, log: { level: 127 } })
  for (const query of statements) await client.command({ query })
  await client.close()
  const platform = { store: {}, config: { clickhouse: 'embedded' }, clickhouse: engine.engine.url, warehouse: engine.engine.url } as unknown as Platform
  return {
    engine,
    platform,
    async run (sql, principal = analyst, options = {}) {
      const answer = await runSql(platform, { sql, principal, lane: 'data', format: 'TabSeparated', signal: new AbortController().signal, ...options })
      return await text(answer.body)
    }
  }
}

function principal (user: string, grants: Readonly<Record<string, Partial<DatasetGrant>>>): Principal {
  return {
    kind: 'user',
    user,
    token: undefined,
    scopes: allScopes,
    quota: unlimited,
    grant: dataset => grants[dataset] === undefined ? undefined : { columns: undefined, where: undefined, ...grants[dataset] },
    isValid: () => true
  }
}

/** Somebody with these grants, as they are at the time of each question. */
export function principalWith (grants: Readonly<Record<string, Partial<DatasetGrant>>>): Principal {
  return principal('pat', grants)
}

/** Sees all of quotes and trades. */
export const analyst = principal('ann', { quotes: {}, trades: {} })
/** Sees five columns of quotes, and the rows whose desk, which is none of them, is open. */
export const guest = principal('gus', { quotes: { columns: ['symbol', 'at', 'bid', 'ask', 'tags'], where: ['desk', '=', 'open'] } })
/** Sees all columns of the rows that are not the secret one's. */
export const trader = principal('tom', { quotes: { where: ['desk', '!=', SECRET] }, trades: {} })
export const nobody = principal('nan', {})
