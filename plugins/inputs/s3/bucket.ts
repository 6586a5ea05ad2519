// Objects of a bucket, found by a glob. An object is what its ETag says: a read names it, so that bytes of two versions
// never mix.

import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { Backoff, pause } from '../../../runtime/backoff.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { compileGlob } from '../../../runtime/intake/glob.ts'
import { connect } from '../../../runtime/objects/s3.ts'
import { s3Error } from '../../../runtime/objects/s3-errors.ts'
import type { ListObjectsV2CommandOutput, S3Client } from '@aws-sdk/client-s3'
import type { FileEntry, OpenFile, Shelf } from '../../../runtime/intake/shelf.ts'
import type { ByteRange } from '../../../runtime/objects/objects.ts'
import type { StoreOptions } from '../../../runtime/objects/open.ts'

/** Of a read whose answer broke off; the client itself tries a request again that got no answer. */
const attemptsMax = 4
/** Read at once and kept while the object is open: its first bytes are looked at before it is taken, and of a small one that is all. */
const headBytesMax = 2 ** 18
const backoffMs = { firstMs: 100, maxMs: 2000 }

export interface Place {
  readonly bucket: string
  /** Of the keys. */
  readonly glob: string
}

/** Takes the address of objects apart; throws CONFIG_INVALID where it names none. */
export function parsePath (path: string): Place {
  const [, bucket, glob] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(.+)$/s.exec(path) ?? []
  if (bucket === undefined || glob === undefined || glob.endsWith('/')) {
    throw invalid(`${path} names no objects`, 'Write s3://bucket/prefix/*.csv, or s3://bucket/prefix/**/*.csv with all folders below.')
  }
  try {
    compileGlob(glob)
  } catch (error) {
    throw invalid(`${path} is no glob: ${(error as Error).message}`, 'Put a backslash before a character that stands for itself.')
  }
  return { bucket, glob }
}

export class BucketShelf implements Shelf {
  readonly address: string
  readonly #place: Place
  readonly #client: S3Client
  readonly #signal: AbortSignal

  constructor (path: string, store: StoreOptions, signal: AbortSignal) {
    this.address = path
    this.#place = parsePath(path)
    this.#client = connect(store)
    this.#signal = signal
  }

  async * list (): AsyncGenerator<FileEntry, void, void> {
    const { bucket, glob } = this.#place
    const pattern = compileGlob(glob)
    const special = glob.search(/[*?[{\\]/)
    let ContinuationToken: string | undefined
    do {
      const page: ListObjectsV2CommandOutput = await this.#attempt(this.address, () => this.#client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: special === -1 ? glob : glob.slice(0, special), ContinuationToken }), { abortSignal: this.#signal }))
      for (const { Key = '', Size = 0, ETag = '', LastModified } of page.Contents ?? []) {
        // Some tools make an empty object for a folder.
        if (!Key.endsWith('/') && pattern.test(Key)) yield { name: `s3://${bucket}/${Key}`, bytes: Size, version: `${Size}-${ETag}`, written: LastModified?.getTime() ?? 0 }
      }
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken !== undefined)
  }

  async open (entry: FileEntry): Promise<OpenFile | undefined> {
    const key = entry.name.slice(`s3://${this.#place.bucket}/`.length)
    const headBytes = Math.min(entry.bytes, headBytesMax)
    let head: Promise<Buffer> | undefined
    // As it was listed: where it is another one by now, or gone, the first read says so.
    return {
      entry,
      chunkBytes: 4 * 2 ** 20,
      read: async (from, to) => {
        if (to > headBytes) return this.#read(entry, key, { from, to })
        head ??= this.#read(entry, key, { from: 0, to: headBytes })
        return (await head).subarray(from, to)
      },
      changed: () => Promise.resolve(false), // An object is written as a whole.
      close: () => Promise.resolve()
    }
  }

  /** Whether the bucket can be listed; a single object has to be there. */
  async check (): Promise<void> {
    const { bucket, glob } = this.#place
    if (/[*?[{\\]/.test(glob)) await this.list().next()
    else await this.#attempt(this.address, () => this.#client.send(new HeadObjectCommand({ Bucket: bucket, Key: glob })))
  }

  close (): void {
    this.#client.destroy()
  }

  async #read (entry: FileEntry, key: string, { from, to }: ByteRange): Promise<Buffer> {
    if (from === to) return Buffer.alloc(0)
    const backoff = new Backoff(backoffMs)
    for (;;) {
      try {
        return await this.#attempt(entry.name, () => this.#get(entry, key, { from, to }))
      } catch (error) {
        if (!(error instanceof PlatformError && error.retryable) || backoff.attempt >= attemptsMax || this.#signal.aborted) throw error
        await pause(backoff.nextMs(), this.#signal)
      }
    }
  }

  async #get ({ name, version }: FileEntry, key: string, { from, to }: ByteRange): Promise<Buffer> {
    const IfMatch = version.slice(version.indexOf('-') + 1)
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#place.bucket, Key: key, Range: `bytes=${from}-${to - 1}`, IfMatch }), { abortSignal: this.#signal })
      const bytes = await Body?.transformToByteArray() ?? new Uint8Array()
      if (bytes.length !== to - from) throw new PlatformError('SOURCE_UNAVAILABLE', `The store gave ${bytes.length} of ${to - from} bytes`, { where: name })
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    } catch (error) {
      const says = perObject[(error as Error).name] ?? ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 412 ? perObject['PreconditionFailed'] : undefined)
      if (says === undefined) throw error
      throw new PlatformError('FILE_REFUSED', `${name} ${says}.`, { remedy: 'The next run takes it as it is then.', cause: error })
    }
  }

  async #attempt<T> (where: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task()
    } catch (error) {
      throw sourceError(error, where)
    }
  }
}

/** What concerns one object only. */
const perObject: Readonly<Record<string, string | undefined>> = {
  NoSuchKey: 'is gone since it was found',
  PreconditionFailed: 'has changed while it was read',
  InvalidRange: 'has changed while it was read',
  InvalidObjectState: 'is archived, and has to be restored first'
}

/** A failed request, in the words of a source. */
function sourceError (error: unknown, where: string): PlatformError {
  if (error instanceof PlatformError) return error
  const { code, message, remedy } = s3Error(error, where)
  const denied = (error as Error).name === 'AccessDenied'
  const hint = denied ? 'Allow s3:ListBucket on the bucket and s3:GetObject on its objects.' : remedy
  const codes = { DESTINATION_REFUSED: 'SOURCE_REFUSED', DESTINATION_UNAVAILABLE: 'SOURCE_UNAVAILABLE', PLUGIN_FAILED: 'SOURCE_UNAVAILABLE' } as const
  return new PlatformError(codes[code as keyof typeof codes] ?? code, message, { where, cause: error, ...(hint !== undefined && { remedy: hint }) })
}

function invalid (message: string, remedy: string): PlatformError {
  return new PlatformError('CONFIG_INVALID', `${message}.`, { where: 'input.s3.path', remedy })
}
