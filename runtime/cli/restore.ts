// `twolane restore`: a backup into an empty data folder.

import { basename, dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { restoreBackup } from '../backup/restore.ts'
import { idPattern, totalsOf } from '../backup/manifest.ts'
import { openPlace } from '../backup/place.ts'
import { readConfig } from '../config.ts'
import { PlatformError } from '../errors.ts'
import { inStore } from '../objects/open.ts'
import { count, size } from './table.ts'
import { UsageError } from './terminal.ts'
import type { Terminal } from './terminal.ts'

/** Resolves to 0 when all is back, and was compared. The argument is a place, for its newest backup, or a place and an id. */
export async function run (args: readonly string[], { root, folder, env, print, signal }: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { 'keep-files': { type: 'boolean', default: false } } })
  const [given, ...others] = positionals
  if (given === undefined || others.length > 0) throw new UsageError('Name one backup: its place, or the place and the id, as /mnt/backups/20240102T030405Z-1a2b')
  const config = await readConfig({ root, env })
  const { address, id } = parsed(given, folder)
  const place = await openPlace({ address, dataFolder: config.dataFolder, endpoint: config.backupEndpoint === '' ? null : config.backupEndpoint })
  try {
    const wanted = id ?? (await place.ids())[0]
    const backup = wanted === undefined ? undefined : await place.read(wanted)
    if (backup === undefined) throw new PlatformError('NOT_FOUND', wanted === undefined ? 'There is no backup' : `There is no backup ${wanted}`, { where: place.address })
    print(`Backup ${backup.id}, made ${backup.at}`)
    const { filesKept } = await restoreBackup(backup, place, { root, config, keepFiles: values['keep-files'], signal: signal ?? new AbortController().signal, onRows () {}, say: print })
    const { rows, bytes } = totalsOf(backup)
    print(`All is back, and was compared: ${backup.topics.length} topics, ${count(rows)} rows of tables, ${size(bytes)}`)
    for (const name of filesKept) print(`  ${name} differs from the one of the backup, and was left`)
    for (const what of backup.leftOut) print(`  not in the backup: ${what}`)
    print('Start the platform with npm start; it shows a new admin token unless TWOLANE_ADMIN_TOKEN is set.')
    return 0
  } finally {
    place.close()
  }
}

function parsed (given: string, folder: string): { readonly address: string, readonly id: string | undefined } {
  const whole = inStore(given) ? given.replace(/\/+$/, '') : resolve(folder, given)
  const last = basename(whole).replace(/\.json$/, '')
  return new RegExp(idPattern).test(last) ? { address: dirname(whole).replace(/^(s3:)\/(?!\/)/, '$1//').replace(/\/backups$/, ''), id: last } : { address: whole, id: undefined }
}
