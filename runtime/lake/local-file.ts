// A file of the lake as a local one whose bytes are what was written: nothing decodes bytes that were not checked, as a
// decoder may do anything with them.

import { createHash } from 'node:crypto'
import { open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { PlatformError } from '../errors.ts'
import { storageError } from '../durable.ts'
import { inStore } from '../objects/open.ts'
import { checkParquet } from './parquet-check.ts'
import type { FileHandle } from 'node:fs/promises'
import type { Objects } from '../objects/objects.ts'
import type { LakeFile } from './manifest.ts'

/** Of one read and one request. */
const PART_BYTES = 8 * 2 ** 20

export interface LocalFile {
  readonly handle: FileHandle
  readonly bytes: number
  readonly sha256: string
  close (): Promise<void>
}

/**
 * The file itself where the lake is a folder; a copy in `scratch`, which goes with `close`, where it is in a store.
 * Throws LAKE_DAMAGED where it is missing or not what the manifest says.
 */
export async function openLocal (objects: Objects, file: LakeFile, signal?: AbortSignal): Promise<LocalFile> {
  const where = `${objects.address}/${file.name}`
  const copy = inStore(objects.address) ? objects.scratchFile() : undefined
  const path = copy ?? join(objects.address, file.name)
  const handle = await open(path, copy === undefined ? 'r' : 'wx+').catch((error: unknown) => {
    if (copy === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') throw missing(where)
    throw storageError(error, path)
  })
  const close = async (): Promise<void> => {
    await handle.close()
    if (copy !== undefined) await unlink(copy).catch(() => { /* removed by whoever looked for leftovers */ })
  }
  try {
    const { bytes, sha256 } = copy === undefined ? await hashFile(handle, signal) : await download(objects, file.name, handle, signal)
    if (bytes === 0 && copy !== undefined) throw missing(where)
    if (bytes !== file.bytes || (file.sha256 !== '' && sha256 !== file.sha256)) throw unlike(where)
    if (file.sha256 === '') await checkParquet(handle, bytes, signal).catch((error: unknown) => { throw unlike(where, error) })
    return { handle, bytes, sha256, close }
  } catch (error) {
    await close()
    signal?.throwIfAborted()
    throw storageError(error, path)
  }
}

/** Of a file that is open. */
export async function hashFile (handle: FileHandle, signal?: AbortSignal): Promise<{ readonly bytes: number, readonly sha256: string }> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(2 ** 20)
  let bytes = 0
  for (;;) {
    signal?.throwIfAborted()
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, bytes)
    if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') }
    hash.update(buffer.subarray(0, bytesRead))
    bytes += bytesRead
  }
}

async function download (objects: Objects, name: string, handle: FileHandle, signal: AbortSignal | undefined): Promise<{ readonly bytes: number, readonly sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for (;;) {
    signal?.throwIfAborted()
    const part = await objects.read(name, { from: bytes, to: bytes + PART_BYTES })
    if (part === undefined || part.length === 0) return { bytes, sha256: hash.digest('hex') }
    // Behind the part before, and all of it.
    await handle.writeFile(part)
    hash.update(part)
    bytes += part.length
    if (part.length < PART_BYTES) return { bytes, sha256: hash.digest('hex') }
  }
}

function missing (where: string): PlatformError {
  return new PlatformError('LAKE_DAMAGED', 'The file is missing, and the manifest lists it', {
    where, remedy: 'Bring it back from a copy. A reader that took longer than a day may find that the compaction has replaced it: start it again.'
  })
}

function unlike (where: string, cause?: unknown): PlatformError {
  return new PlatformError('LAKE_DAMAGED', 'The file is not what was written', { where, cause, remedy: 'Bring it back from a copy; none of its rows were taken.' })
}
