import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PlatformError } from './errors.ts'

/**
 * Makes this process the only owner of a data folder until `release`, or until it ends in any way: the lock is one of
 * the operating system's, held through SQLite. Throws DATA_FOLDER_IN_USE, naming the owner.
 */
export function lockFolder (folder: string): { release (): void } {
  mkdirSync(folder, { recursive: true })
  const ownerFile = join(folder, 'owner')
  const database = new DatabaseSync(join(folder, 'lock.db'), { timeout: 0 })
  try {
    database.exec('pragma locking_mode = exclusive; begin exclusive')
  } catch (cause) {
    database.close()
    throw new PlatformError('DATA_FOLDER_IN_USE', `Another process${ownerOf(ownerFile)} works with the data folder`, {
      where: folder, remedy: 'Stop it, or choose another folder with TWOLANE_DATA.', cause
    })
  }
  writeFileSync(ownerFile, String(process.pid))
  return { release: () => database.close() }
}

function ownerOf (file: string): string {
  try {
    return ` (${readFileSync(file, 'utf8').trim()})`
  } catch {
    // It has not written its name yet.
    return ''
  }
}
