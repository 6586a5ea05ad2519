// Objects in a bucket of an S3-compatible store.
//
// A file larger than a part is noted in `scratch` before its upload begins, as <file>.upload, so that the parts of a
// writer that was killed can be taken back: a store keeps and bills them, and shows them to nobody.

import { randomUUID } from 'node:crypto'
import { readFile, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Backoff } from '../backoff.ts'
import { makeFolder, storageError, writeDurably } from '../durable.ts'
import { countStoreRequest } from './request-count.ts'
import { s3Error } from './s3-errors.ts'
import { abortUploads, inParts, uploadParts, uploadWhole } from './upload.ts'
import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import type { ByteRange, ObjectEntry, Objects } from './objects.ts'
import type { Bucket, StoreOptions } from './open.ts'
import type { Target } from './upload.ts'

/** Of one request, the first one included; the client waits longer before each one. */
const attemptsMax = 4
const connectMs = 10_000
/** Of one attempt to look whether the bucket is there; all of them end before a plugin has to be open. */
const checkMs = 10_000
/** Between attempts of a conditional write that met another one. */
const conflictBackoff = { firstMs: 50, maxMs: 1000 }

export class S3Objects implements Objects {
  readonly address: string
  readonly scratch: string
  readonly #owner: string
  readonly #bucket: string
  readonly #prefix: string
  readonly #requestMs: number
  readonly #client: S3Client

  constructor ({ bucket, prefix }: Bucket, store: StoreOptions, { scratch, owner }: { readonly scratch: string, readonly owner: string }) {
    this.address = `s3://${bucket}/${prefix}`.replace(/\/$/, '')
    this.scratch = scratch
    this.#owner = owner
    this.#bucket = bucket
    this.#prefix = prefix
    this.#requestMs = store.requestMs
    this.#client = connect(store)
  }

  scratchFile (): string {
    return join(this.scratch, `${this.#owner}${randomUUID()}`)
  }

  async put (name: string, file: string): Promise<void> {
    const target = this.#target(name)
    await this.#attempt(name, async () => {
      if (!await inParts(file)) return uploadWhole(this.#client, target, file)
      await writeDurably(noteOf(file), JSON.stringify(target))
      if (await uploadParts(this.#client, target, file)) await unlink(noteOf(file))
    })
    await this.discard(file)
  }

  async putIfAbsent (name: string, content: Uint8Array): Promise<boolean> {
    const backoff = new Backoff(conflictBackoff)
    for (;;) {
      try {
        await this.#client.send(new PutObjectCommand({ ...this.#target(name), Body: content, IfNoneMatch: '*' }))
        return true
      } catch (error) {
        const status = statusOf(error)
        // The client repeats a request whose answer was lost: what it finds then may be its own.
        if (status === 412) return Buffer.from(await this.read(name) ?? '').equals(content)
        if (status !== 409 || backoff.attempt >= attemptsMax) throw s3Error(error, this.#where(name))
        await new Promise(resolve => setTimeout(resolve, backoff.nextMs()))
      }
    }
  }

  async confirm (): Promise<void> { /* a store shows nothing before it is durable */ }

  async read (name: string, range?: ByteRange): Promise<Uint8Array | undefined> {
    if (range !== undefined && range.to <= range.from) return new Uint8Array(0)
    const Range = range === undefined ? undefined : `bytes=${range.from}-${range.to - 1}`
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ ...this.#target(name), Range }))
      return await Body?.transformToByteArray()
    } catch (error) {
      // A bucket that is missing is a failure, an object that is missing an answer.
      if ((error as Error).name === 'NoSuchKey') return undefined
      if (statusOf(error) === 416) return new Uint8Array(0)
      throw s3Error(error, this.#where(name))
    }
  }

  async * list (prefix: string): AsyncGenerator<ObjectEntry, void, void> {
    let ContinuationToken: string | undefined
    do {
      const page: ListObjectsV2CommandOutput = await this.#attempt(prefix, () => this.#client.send(new ListObjectsV2Command({
        Bucket: this.#bucket, Prefix: this.#prefix + prefix, ContinuationToken
      })))
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
        // A store that does not say counts as one that has just written it: what is young is left alone.
        yield { name: Key.slice(this.#prefix.length), bytes: Size, modifiedAt: LastModified?.getTime() ?? Date.now() }
      }
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken !== undefined)
  }

  async delete (name: string): Promise<void> {
    await this.#attempt(name, () => this.#client.send(new DeleteObjectCommand(this.#target(name))))
  }

  async discard (file: string): Promise<void> {
    const note = noteOf(file)
    try {
      const target = await readFile(note, 'utf8').then(text => JSON.parse(text) as Target, () => undefined)
      if (target !== undefined) await abortUploads(this.#client, target)
      await unlink(note).catch(() => { /* there was none */ })
    } catch {
      // The store is away. A note as old as this one is taken up by whoever looks for leftovers next.
      await utimes(note, 0, 0).catch(() => { /* another one took it up */ })
    }
    await unlink(file).catch(() => { /* never made */ })
  }

  async check (): Promise<void> {
    await makeFolder(this.scratch).catch((error: unknown) => { throw storageError(error, this.scratch) })
    try {
      await this.#client.send(new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#prefix, MaxKeys: 1 }), { requestTimeout: Math.min(checkMs, this.#requestMs) })
    } catch (error) {
      // Credentials that may only write are enough to write.
      if ((error as Error).name !== 'AccessDenied') throw s3Error(error, this.address)
    }
  }

  close (): void {
    this.#client.destroy()
  }

  #target (name: string): Target {
    return { Bucket: this.#bucket, Key: this.#prefix + name }
  }

  #where (name: string): string {
    return `${this.address}/${name}`
  }

  async #attempt<T> (name: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task()
    } catch (error) {
      // A file operation says which one it was; a request does not.
      const { syscall, path } = error as NodeJS.ErrnoException
      throw path !== undefined && syscall !== undefined ? storageError(error, this.scratch) : s3Error(error, this.#where(name))
    }
  }
}

function noteOf (file: string): string {
  return `${file}.upload`
}

function statusOf (error: unknown): number | undefined {
  return (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode
}

/** A client of a store. */
export function connect ({ endpoint, region, pathStyle, accessKey, secretKey, requestMs }: StoreOptions): S3Client {
  // Stores other than AWS take any region; the usual one saves an option.
  const inRegion = region ?? (endpoint === null ? undefined : process.env['AWS_REGION'] ?? 'us-east-1')
  const client = new S3Client({
    ...(endpoint !== null && { endpoint }),
    ...(inRegion !== undefined && { region: inRegion }),
    forcePathStyle: pathStyle ?? endpoint !== null,
    ...(accessKey !== null && secretKey !== null && { credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } }),
    maxAttempts: attemptsMax,
    // It would open a connection for each part.
    expectContinueHeader: false,
    requestHandler: { connectionTimeout: Math.min(connectMs, requestMs), requestTimeout: requestMs, socketTimeout: requestMs, throwOnRequestTimeout: true }
  })
  // Behind the step that repeats a request: each attempt is billed.
  client.middlewareStack.add((next, { commandName = '' }) => args => {
    countStoreRequest(commandName)
    return next(args)
  }, { step: 'finalizeRequest', priority: 'low', name: 'countStoreRequest' })
  return client
}
