// `twolane backup`: a backup of everything, of the platform that runs or of one that is stopped.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { followRun } from './follow-run.ts'
import { count, moment, size, table } from './table.ts'
import { makeBackup } from '../backup/make.ts'
import { totalsOf } from '../backup/manifest.ts'
import { openPlace } from '../backup/place.ts'
import { openBroker } from '../broker/open.ts'
import { startEmbedded } from '../clickhouse/embedded.ts'
import { readConfig } from '../config.ts'
import { PlatformError } from '../errors.ts'
import { readFiles } from '../files.ts'
import { lockFolder } from '../lock.ts'
import { inStore } from '../objects/open.ts'
import { UsageError } from './terminal.ts'
import type { RunDetail, ShownRun } from './job.ts'
import type { Terminal } from './terminal.ts'

interface Listed { readonly backups: ReadonlyArray<{ readonly id: string, readonly at: string, readonly rows: number, readonly bytes: number, readonly check: { readonly ok: boolean } | null }> }

/** Resolves to 0 when the backup is there as a whole. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { ...adminOptions, to: { type: 'string' }, list: { type: 'boolean', default: false }, verify: { type: 'string' }, json: { type: 'boolean', default: false } } })
  if (values.list && (values.to !== undefined || values.verify !== undefined)) throw new UsageError('--list stands alone')
  const to = values.to === undefined || inStore(values.to) ? values.to : resolve(terminal.folder, values.to)
  const admin = await connect(terminal, values.token).catch((error: unknown) => {
    if (error instanceof PlatformError && error.code === 'NOT_RUNNING' && !values.list && values.verify === undefined) return undefined
    throw error
  })
  if (admin === undefined) return stopped(to, terminal)
  if (values.list) {
    const found = await admin.json<Listed>('GET', '/v1/backups')
    for (const line of values.json ? [JSON.stringify(found)] : listLines(found)) terminal.print(line)
    return 0
  }
  const begun = values.verify === undefined
    ? await admin.json<ShownRun>('POST', '/v1/backups', 202, to === undefined ? {} : { to })
    : await admin.json<ShownRun>('POST', `/v1/backups/${encodeURIComponent(values.verify)}/verify`, 202, {})
  return followRun(begun, { admin, terminal, json: values.json, wait: true, report: reportLines })
}

function listLines ({ backups }: Listed): string[] {
  if (backups.length === 0) return ['There is no backup']
  return table(['BACKUP', 'MADE', 'ROWS', 'SIZE', 'BROUGHT BACK'], backups.map(({ id, at, rows, bytes, check }) => [id, at === '' ? 'damaged' : moment(Date.parse(at)), count(rows), size(bytes), check === null ? 'not tried' : check.ok ? 'yes' : 'FAILED']), ['ROWS', 'SIZE'])
}

function reportLines ({ log }: RunDetail): string[] {
  return log.flatMap(({ message, fields }) => {
    if (message === 'The backup was brought back') return [String(fields['detail'])]
    if (message !== 'The backup was made') return []
    const leftOut = fields['leftOut'] as readonly string[] | undefined ?? []
    return [`Backup ${String(fields['id'])}: ${count(Number(fields['rows']))} rows of tables, ${size(Number(fields['bytes']))}`, ...leftOut.map(what => `  left out: ${what}`)]
  })
}

/** Nobody else works with the data folder meanwhile. */
async function stopped (to: string | undefined, { root, env, print, signal }: Terminal): Promise<number> {
  const config = await readConfig({ root, env })
  const { dataFolder, kafka } = config
  const address = to ?? config.backupTo
  if (address === '') throw new UsageError('Name a place with --to, or set backup_to in config/platform.yaml')
  const closers: Array<() => unknown> = []
  try {
    const lock = lockFolder(dataFolder)
    closers.push(() => lock.release())
    const { pipelines, schemas, problems } = await readFiles(root)
    if (problems.length > 0) throw new PlatformError('BACKUP_REFUSED', `The project has problems: ${problems.map(({ file }) => file).join(', ')}`, { remedy: 'Correct what npx twolane lint says: what a file describes is not copied as a whole otherwise.' })
    const broker = await openBroker({ dataFolder, kafka })
    closers.push(() => broker.close())
    const embedded = config.clickhouse === 'embedded' ? await startEmbedded({ folder: `${dataFolder}/clickhouse`, memoryBytesMax: config.clickhouseMemoryGigabytes * 2 ** 30, log: { info () {}, warn () {}, error () {} } }) : undefined
    closers.push(() => embedded?.close())
    const clickhouse = embedded?.url ?? config.clickhouse
    const place = await openPlace({ address, dataFolder, endpoint: config.backupEndpoint === '' ? null : config.backupEndpoint })
    closers.push(() => place.close())
    const backup = await makeBackup({ root, dataFolder, version: 'stopped', embeddedBroker: kafka === undefined, broker, clickhouse, warehouse: config.warehouse ?? clickhouse, pipelines: [...pipelines.values()], schemas }, place, { signal: signal ?? new AbortController().signal, onRows () {}, say: print })
    const { rows, bytes } = totalsOf(backup)
    print(`Backup ${backup.id} in ${place.address}: ${count(rows)} rows of tables, ${size(bytes)}`)
    for (const what of backup.leftOut) print(`  left out: ${what}`)
    return 0
  } finally {
    for (const close of closers.reverse()) await close()
  }
}
