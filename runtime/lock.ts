import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { syncNow } from './durable.ts'
import { describe, PlatformError } from './errors.ts'

/**
 * Makes this process the only owner of a data folder until `release`, or until it ends in any way: the lock is one of
 * the operating system's, held through SQLite. Throws DATA_FOLDER_IN_USE, naming the owner.
 */
export function lockFolder (folder: string): { release (): void } {
  // What it holds, rows and hashes of passwords, is nobody else's.
  makeFolder(resolve(folder), 0o700)
  const ownerFile = join(folder, 'owner')
  const database = openDatabase(folder)
  try {
    database.exec('pragma locking_mode = exclusive; begin exclusive')
  } catch (cause) {
    database.close()
    if (!/locked|busy/.test(String(cause))) throw unusable(folder, cause)
    throw new PlatformError('DATA_FOLDER_IN_USE', `Another process${ownerOf(ownerFile)} works with the data folder`, {
      where: folder, remedy: 'Stop it, or choose another folder with TWOLANE_DATA.', cause
    })
  }
  try {
    writeFileSync(ownerFile, String(process.pid))
  } catch (cause) {
    database.close()
    throw unusable(folder, cause)
  }
  return { release: () => database.close() }
}

/** Folder by folder: Node's own way never ends where the file system makes none, such as below /proc. */
function makeFolder (folder: string, mode?: number): void {
  if (existsSync(folder)) return
  if (dirname(folder) !== folder) makeFolder(dirname(folder))
  try {
    mkdirSync(folder, mode === undefined ? {} : { mode })
    syncNow(dirname(folder))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(folder, cause)
  }
}

function openDatabase (folder: string): DatabaseSync {
  try {
    return new DatabaseSync(join(folder, 'lock.db'), { timeout: 0 })
  } catch (cause) {
    throw unusable(folder, cause)
  }
}

function unusable (folder: string, cause: unknown): PlatformError {
  return new PlatformError('CONFIG_INVALID', `The data folder cannot be used: ${describe(cause)}`, {
    where: folder, remedy: 'Let this user write there, or choose another folder with TWOLANE_DATA.', cause
  })
}

function ownerOf (file: string): string {
  try {
    return ` (${readFileSync(file, 'utf8').trim()})`
  } catch {
    // It has not written its name yet.
    return ''
  }
}
