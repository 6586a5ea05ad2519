// Real PostgreSQL and MariaDB servers on loopback, in the hands of a test. Both refuse to run as root: then they run as
// the user that their Debian package made.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { endTogether, freePort } from '../child.ts'
import { WAIT_MS_MAX } from '../waiting.ts'
import type { ChildProcess } from 'node:child_process'

const postgresBin = globSync('/usr/lib/postgresql/*/bin/initdb').sort().at(-1)?.replace(/\/initdb$/, '')
const mariadbBin = ['/usr/sbin/mariadbd', '/usr/sbin/mysqld'].find(path => existsSync(path))

/** For `t.test(…, { skip })`: false, or why there can be no server here. */
export const postgresMissing: string | false = postgresBin !== undefined ? false : 'PostgreSQL is not installed (apt-get install postgresql)'
export const mariadbMissing: string | false = mariadbBin !== undefined && existsSync('/usr/bin/mariadb-install-db') ? false : 'MariaDB is not installed (apt-get install mariadb-server)'

export interface SqlServer {
  /** With user and password, of a database `market`. */
  readonly url: string
  readonly port: number
  /** Statements one by one, as the administrator. */
  run (...statements: string[]): Promise<void>
  /** At once, as by a power cut; what was committed stays. */
  kill (): Promise<void>
  restart (): Promise<void>
  /** Ends it and removes its data. */
  stop (): Promise<void>
}

interface Kind {
  readonly user: string
  readonly scheme: string
  init (folder: string): readonly [string, ...string[]]
  serve (folder: string, port: number): readonly [string, ...string[]]
  run (port: number, statements: readonly string[], database: string): Promise<void>
}

const postgres: Kind = {
  user: 'postgres',
  scheme: 'postgres',
  init: folder => [join(postgresBin as string, 'initdb'), '--no-sync', '--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '-D', join(folder, 'data')],
  serve: (folder, port) => [join(postgresBin as string, 'postgres'), '-D', join(folder, 'data'), '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`, '-c', 'fsync=off', '-c', 'shared_buffers=16MB'],
  async run (port, statements, database) {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password: 'none', database: database === '' ? 'postgres' : database })
    await client.connect()
    try {
      for (const statement of statements) await client.query(statement)
    } finally {
      await client.end()
    }
  }
}

const mariadb: Kind = {
  user: 'mysql',
  scheme: 'mysql',
  init: folder => ['/usr/bin/mariadb-install-db', '--no-defaults', `--datadir=${join(folder, 'data')}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
  serve: (folder, port) => [mariadbBin as string, '--no-defaults', `--datadir=${join(folder, 'data')}`, `--port=${port}`, '--bind-address=127.0.0.1', `--socket=${join(folder, 'socket')}`, `--pid-file=${join(folder, 'pid')}`, '--innodb-flush-log-at-trx-commit=0', '--innodb-buffer-pool-size=32M', '--skip-log-bin'],
  async run (port, statements, database) {
    const connection = await mysql.createConnection({ host: '127.0.0.1', port, user: 'root', ...(database !== '' && { database }) })
    try {
      for (const statement of statements) await connection.query(statement)
    } finally {
      await connection.end()
    }
  }
}

export const startPostgres = (): Promise<SqlServer> => start(postgres, 'CREATE DATABASE market', "CREATE ROLE reader LOGIN PASSWORD 'read/me@here' IN ROLE pg_read_all_data")
export const startMariadb = (): Promise<SqlServer> => start(mariadb, 'CREATE DATABASE market', "CREATE USER reader@'%' IDENTIFIED BY 'read/me@here'", 'GRANT SELECT ON market.* TO reader@\'%\'')

async function start (kind: Kind, ...setup: string[]): Promise<SqlServer> {
  const folder = mkdtempSync(join(tmpdir(), 'twolane-sql-'))
  const identity = identityOf(kind.user)
  if (identity.uid !== undefined) chownSync(folder, identity.uid, identity.gid as number)
  const [init, ...initArgs] = kind.init(folder)
  execFileSync(init, initArgs, { stdio: 'pipe', cwd: folder, ...identity })
  const port = await freePort()
  let child: ChildProcess | undefined
  const server: SqlServer = {
    url: `${kind.scheme}://reader:${encodeURIComponent('read/me@here')}@127.0.0.1:${port}/market`,
    port,
    run: (...statements) => kind.run(port, statements, 'market'),
    async kill () {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      // PostgreSQL's children end at this signal, too; a killed MariaDB has none.
      child.kill(kind === postgres ? 'SIGQUIT' : 'SIGKILL')
      await gone
    },
    async restart () {
      const [command, ...args] = kind.serve(folder, port)
      child = spawn(command, args, { stdio: 'ignore', cwd: folder, ...identity })
      endTogether(child, 'QUIT')
      await answers(() => kind.run(port, ['SELECT 1'], ''), child)
    },
    async stop () {
      await server.kill()
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
    }
  }
  try {
    await server.restart()
    await kind.run(port, setup, '')
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}

async function answers (ask: () => Promise<void>, child: ChildProcess): Promise<void> {
  const giveUpAt = performance.now() + WAIT_MS_MAX
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > giveUpAt) throw new Error('The database does not start', { cause: error })
      await sleep(50)
    }
  }
}

/** Of the user that a server runs as; empty: our own. */
function identityOf (user: string): { readonly uid?: number, readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  return { uid: Number(execFileSync('id', ['-u', user])), gid: Number(execFileSync('id', ['-g', user])) }
}
