// Where backups are: a folder or a bucket, with their blobs.

import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PassThrough, Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { makeFolder, storageError } from '../durable.ts'
import { openObjects } from '../objects/open.ts'
import { blobsOf, damaged, decodeManifest, encodeManifest, idPattern, manifestName } from './manifest.ts'
import type { StoreOptions } from '../objects/open.ts'
import type { Objects } from '../objects/objects.ts'
import type { Backup, Blob } from './manifest.ts'

const PART_BYTES = 8 * 2 ** 20
/** A blob that nobody names yet may be one of a backup that is being made. */
const UNNAMED_MS = 24 * 3_600_000
/** Tables and topics hold numbers and repeated texts: more would cost time and save little. */
const ZSTD_LEVEL = 3

export interface PlaceOptions {
  /** A folder, absolute or below the data folder, or `s3://bucket/prefix`. */
  readonly address: string
  readonly dataFolder: string
  readonly endpoint?: string | null
  readonly region?: string | null
}

/** Opens the place; `check` says whether it can be used. */
export async function openPlace ({ address, dataFolder, endpoint = null, region = null }: PlaceOptions): Promise<BackupPlace> {
  const store: StoreOptions = { endpoint, region, pathStyle: null, accessKey: null, secretKey: null, requestMs: 60_000 }
  return new BackupPlace(await openObjects({ address, dataFolder, owner: `backup.${process.pid}.${randomUUID().slice(0, 8)}.`, store }))
}

export class BackupPlace {
  readonly #objects: Objects

  constructor (objects: Objects) {
    this.#objects = objects
  }

  get address (): string {
    return this.#objects.address
  }

  check (): Promise<void> {
    return this.#objects.check()
  }

  close (): void {
    this.#objects.close()
  }

  /** Ids, newest first. */
  async ids (): Promise<string[]> {
    const ids: string[] = []
    for await (const { name } of this.#objects.list('backups/')) {
      const id = name.slice('backups/'.length, -'.json'.length)
      if (new RegExp(idPattern).test(id)) ids.push(id)
    }
    return ids.reverse()
  }

  /** undefined: there is none of that id. Throws BACKUP_DAMAGED. */
  async read (id: string): Promise<Backup | undefined> {
    const bytes = await this.#objects.read(manifestName(id))
    return bytes === undefined ? undefined : decodeManifest(bytes, `${this.address}/${manifestName(id)}`)
  }

  async write (backup: Backup): Promise<void> {
    await this.#objects.putIfAbsent(manifestName(backup.id), encodeManifest(backup))
  }

  /** A path for a file that becomes a blob, on the same disk where the place is a folder. */
  async scratchFile (): Promise<string> {
    const file = this.#objects.scratchFile()
    await makeFolder(dirname(file))
    return file
  }

  /** Stores a stream; `compressed`: with zstd, which `stream` undoes. Durable when it resolves. */
  async store (source: Readable, compressed: boolean): Promise<Blob> {
    const file = await this.scratchFile()
    const hash = createHash('sha256')
    let bytes = 0
    const count = new Transform({
      transform (chunk: Buffer, _encoding, done) {
        hash.update(chunk)
        bytes += chunk.length
        done(null, chunk)
      }
    })
    const compress = compressed ? createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 } }) : new PassThrough()
    try {
      await pipeline(source, compress, count, createWriteStream(file, { mode: 0o600 }))
      await syncFile(file)
      const blob = `${hash.copy().digest('hex')}${compressed ? '.zst' : ''}`
      if (!await this.has({ blob, bytes })) await this.#objects.put(nameOf(blob), file)
      return { blob, bytes }
    } catch (error) {
      throw storageError(error, this.address)
    } finally {
      await this.#objects.discard(file)
    }
  }

  /** Stores a local file, and removes it where `remove`. */
  async storeFile (path: string, { compressed, remove }: { readonly compressed: boolean, readonly remove: boolean }): Promise<Blob> {
    try {
      return await this.store(createReadStream(path, { highWaterMark: 2 ** 20 }), compressed)
    } finally {
      if (remove) await rm(path, { force: true })
    }
  }

  /** Whether a blob of that size is there already. */
  async has ({ blob, bytes }: Blob): Promise<boolean> {
    for await (const entry of this.#objects.list(nameOf(blob))) if (entry.name === nameOf(blob)) return entry.bytes === bytes
    return false
  }

  /** The content of a blob as it was given. The stream fails with BACKUP_DAMAGED where it is not what it was. */
  stream ({ blob, bytes }: Blob): Readable {
    const parts = Readable.from(this.#parts(blob, bytes), { objectMode: false })
    if (!blob.endsWith('.zst')) return parts
    const plain = createZstdDecompress()
    parts.once('error', error => plain.destroy(error))
    plain.once('close', () => parts.destroy())
    return parts.pipe(plain)
  }

  /** Removes all but the newest backups, and the blobs that no other names. Resolves to the ids that are gone. */
  async prune (keep: number, now = Date.now()): Promise<string[]> {
    const ids = await this.ids()
    const gone = ids.slice(keep)
    for (const id of gone) await this.#objects.delete(manifestName(id))
    const named = new Set<string>()
    for (const id of ids.slice(0, keep)) {
      // One that cannot be read might name any of them.
      const backup = await this.read(id).catch(() => undefined)
      if (backup === undefined) return gone
      for (const blob of blobsOf(backup).keys()) named.add(nameOf(blob))
    }
    for await (const { name, modifiedAt } of this.#objects.list('blobs/')) {
      if (!named.has(name) && now - modifiedAt > UNNAMED_MS) await this.#objects.delete(name)
    }
    return gone
  }

  async * #parts (blob: string, bytes: number): AsyncGenerator<Uint8Array, void, void> {
    const hash = createHash('sha256')
    for (let from = 0; from < bytes; from += PART_BYTES) {
      const part = await this.#objects.read(nameOf(blob), { from, to: Math.min(bytes, from + PART_BYTES) })
      if (part === undefined) throw damaged(`${this.address}/${nameOf(blob)}`, 'a blob of it is not there')
      hash.update(part)
      yield part
    }
    if (hash.digest('hex') !== blob.replace(/\.zst$/, '')) throw damaged(`${this.address}/${nameOf(blob)}`, 'a blob of it is not what it was')
  }
}

function nameOf (blob: string): string {
  return `blobs/${blob.slice(0, 2)}/${blob}`
}

async function syncFile (path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
