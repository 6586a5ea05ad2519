// Files that survive a crash. A file's bytes and its name are two things to a file system: the bytes are durable after
// fsync of the file, the name after fsync of the folder that holds it.

import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PlatformError } from './errors.ts'

/** Writes a small state file so that a reader finds the old one or the new one, never half of either (invariant 6). */
export async function writeDurably (path: string, content: string | Uint8Array, { mode = 0o666 }: { readonly mode?: number } = {}): Promise<void> {
  const aside = `${path}.tmp`
  const file = await open(aside, 'w', mode)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await moveFile(aside, path)
}

/** Renames a synced file; what stood at `to` is replaced. Durable when it resolves. */
export async function moveFile (from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncFolder(dirname(to))
}

/** Makes a folder and those above it; durable when it resolves. */
export async function makeFolder (path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true })
  if (first === undefined) return
  const top = dirname(first)
  for (let folder = dirname(path); folder.length >= top.length; folder = dirname(folder)) {
    await syncFolder(folder)
    if (folder === top) break
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder (path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** `writeDurably` for what may not wait, such as the middle of a transaction. */
export function writeDurablySync (path: string, content: string, { mode = 0o666 }: { readonly mode?: number } = {}): void {
  const aside = `${path}.tmp`
  const file = openSync(aside, 'w', mode)
  try {
    writeFileSync(file, content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(aside, path)
  syncNow(dirname(path))
}

/** Makes the bytes of a file durable, or the names in a folder. */
export function syncNow (path: string): void {
  const opened = openSync(path, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'Free disk space or give the folder a larger disk; the rows wait in the topic.',
  EDQUOT: 'Raise the disk quota or free space; the rows wait in the topic.',
  EACCES: 'Give the user that runs the platform the right to write there.',
  EPERM: 'Give the user that runs the platform the right to write there.',
  EROFS: 'The file system is read-only: choose another folder or mount it for writing.',
  EEXIST: 'Something in the path is a file: choose another path.',
  ENOTDIR: 'Something in the path is a file: choose another path.',
  EISDIR: 'The path is a folder: give the path of a file.'
}

/** What a failed file operation means to the runtime: it tries again when there may be room or a disk later. */
export function storageError (error: unknown, path: string): PlatformError {
  if (error instanceof PlatformError) return error
  const { code = '', syscall, message = String(error) } = error as NodeJS.ErrnoException
  if (syscall === undefined) return new PlatformError('PLUGIN_FAILED', message, { where: path, cause: error })
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  const remedy = remedies[code]
  return new PlatformError(full ? 'DISK_FULL' : 'DESTINATION_UNAVAILABLE', full ? 'The disk is full' : `The file cannot be written: ${message}`, {
    where: path, cause: error, ...(remedy !== undefined && { remedy })
  })
}
