// A local file to one object. Small ones go in one request; larger ones in parts, of which a few are in memory at a
// time, and the object shows up when the last request, which names all parts, is carried out.

import { open, readFile, stat } from 'node:fs/promises'
import { AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, ListMultipartUploadsCommand, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import type { FileHandle } from 'node:fs/promises'
import type { CompletedPart, ListMultipartUploadsCommandOutput, S3Client } from '@aws-sdk/client-s3'

const partBytesMin = 8 * 2 ** 20
/** S3's own limit. */
const partsMax = 10_000
/** Parts in memory and on their way at the same time. */
const partsAtOnce = 2
/** The store may be what failed, and a plugin has to close in time: what cannot be aborted soon is aborted later. */
const abortMs = 2000

export interface Target {
  readonly Bucket: string
  readonly Key: string
}

/** Whether a file needs an upload that could be left unfinished. */
export async function inParts (file: string): Promise<boolean> {
  return (await stat(file)).size > partBytesMin
}

export async function uploadWhole (client: S3Client, target: Target, file: string): Promise<void> {
  await client.send(new PutObjectCommand({ ...target, Body: await readFile(file) }))
}

/** After a failure the upload is left to `abortUploads`. Resolves to false when a second one may have been begun on the way, and is left to it, too. */
export async function uploadParts (client: S3Client, target: Target, file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    const { UploadId, $metadata } = await client.send(new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'CRC32' }))
    const upload = { ...target, UploadId }
    const Parts = await sendParts(client, upload, handle)
    await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
    // An attempt whose answer was lost has begun one, too.
    return ($metadata.attempts ?? 1) === 1
  } finally {
    await handle.close()
  }
}

/** Aborts all unfinished uploads to one object. */
export async function abortUploads (client: S3Client, { Bucket, Key }: Target): Promise<void> {
  const abortSignal = AbortSignal.timeout(abortMs)
  let [KeyMarker, UploadIdMarker]: ReadonlyArray<string | undefined> = []
  do {
    const page: ListMultipartUploadsCommandOutput = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key, KeyMarker, UploadIdMarker }), { abortSignal })
    for (const upload of page.Uploads ?? []) {
      // A longer name begins alike.
      if (upload.Key === Key) await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: upload.UploadId }), { abortSignal })
    }
    [KeyMarker, UploadIdMarker] = page.IsTruncated === true ? [page.NextKeyMarker, page.NextUploadIdMarker] : []
  } while (KeyMarker !== undefined)
}

/** Resolves when no request is on its way any more, also after a failure. */
async function sendParts (client: S3Client, upload: Target & { readonly UploadId: string | undefined }, handle: FileHandle): Promise<CompletedPart[]> {
  const { size } = await handle.stat()
  const partBytes = Math.max(partBytesMin, Math.ceil(size / partsMax))
  const count = Math.ceil(size / partBytes)
  const parts: CompletedPart[] = []
  const failed = new AbortController()
  let next = 0

  async function lane (): Promise<void> {
    // One buffer for all parts of the lane: a part that the store has acknowledged is not needed any more.
    const buffer = Buffer.allocUnsafeSlow(partBytes)
    while (next < count && !failed.signal.aborted) {
      const i = next++
      const Body = buffer.subarray(0, Math.min(size - i * partBytes, partBytes))
      await fill(Body, handle, i * partBytes)
      const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand({ ...upload, PartNumber: i + 1, Body }), { abortSignal: failed.signal })
      parts[i] = { PartNumber: i + 1, ETag, ChecksumCRC32 }
    }
  }

  await Promise.all(Array.from({ length: partsAtOnce }, () => lane().catch((error: unknown) => failed.abort(error))))
  failed.signal.throwIfAborted()
  return parts
}

async function fill (part: Buffer, handle: FileHandle, from: number): Promise<void> {
  let filled = 0
  while (filled < part.length) {
    const { bytesRead } = await handle.read(part, filled, part.length - filled, from + filled)
    // A shorter part would make an object that looks whole.
    if (bytesRead === 0) throw new Error('The file became shorter while it was sent')
    filled += bytesRead
  }
}
