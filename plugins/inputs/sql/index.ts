// Rows of a table or a query in PostgreSQL, MySQL, MariaDB, ClickHouse or SQLite.

import { pause } from '../../../runtime/backoff.ts'
import { defineInput } from '../../../runtime/plugin.ts'
import { invalid } from './database.ts'
import { options } from './options.ts'
import { namesInterval, planOf, Reading } from './reading.ts'
import type { Database, OpenOptions } from './database.ts'
import type { SqlConfig } from './options.ts'
import type { Checkpoint } from './reading.ts'

export default defineInput({
  description: 'Rows of a table or a query in PostgreSQL, MySQL, MariaDB, ClickHouse or SQLite: all of them, what is new, or an interval of time',
  options,
  bounded: true,
  interval: ({ query }) => query !== null && namesInterval(query),

  async * read (given, context) {
    // The schema of the options has checked the maps.
    const config = given as unknown as SqlConfig
    const { signal, run, health, root } = context
    const plan = planOf(config)
    let saved = context.checkpoint as Checkpoint | undefined
    if (plan.timed && run === undefined && plan.startMs === undefined && saved?.end === undefined) throw invalid('start', 'nobody says where the first interval begins', 'Set start, or give the pipeline a schedule.')
    // A run that ended, and whose end nobody heard of.
    if (run !== undefined && saved?.done === true && saved.run === run.id) return
    while (!signal.aborted) {
      health({ ok: true, state: 'reading' })
      let database: Database | undefined
      try {
        database = await open({ config, root, signal })
        for await (const chunk of new Reading({ config, plan, database, context, saved }).chunks()) {
          yield chunk
          saved = chunk.checkpoint as unknown as Checkpoint
        }
      } catch (error) {
        // Stopping breaks off what is under way.
        if (!signal.aborted) throw error
      } finally {
        await database?.close()
      }
      if (run !== undefined || config.poll_seconds === null || signal.aborted) return
      health({ ok: true, state: 'waiting' })
      await pause(config.poll_seconds * 1000, signal)
    }
  },

  async probe (given, context) {
    const config = given as unknown as SqlConfig
    planOf(config)
    const database = await open({ config, root: context.root, signal: context.signal })
    try {
      const rows = database.read('SELECT 1 AS one', [])
      while ((await rows.next()).done !== true);
    } finally {
      await database.close()
    }
  }
})

/** A connection of its own for each reading: none is held while nobody reads. Only the driver that is needed is loaded. */
async function open (options: OpenOptions): Promise<Database> {
  const [protocol] = options.config.url.split(':', 1)
  switch (protocol) {
    case 'postgres':
    case 'postgresql': return (await import('./postgres.ts')).openPostgres(options)
    case 'mysql':
    case 'mariadb': return (await import('./mysql.ts')).openMysql(options)
    case 'clickhouse':
    case 'http':
    case 'https': return (await import('./clickhouse.ts')).openClickHouse(options)
    default: return (await import('./sqlite.ts')).openSqlite(options)
  }
}
