// What a file holds, out of what it is compressed with.

import { createGunzip, createZstdDecompress } from 'node:zlib'
import { Readable } from 'node:stream'
import { PlatformError } from '../errors.ts'
import type { Gunzip, ZstdDecompress } from 'node:zlib'

export type Compression = 'none' | 'gzip' | 'zstd'

/** Bytes that can be read from any place. */
export interface Bytes {
  readonly name: string
  readonly length: number
  /** Of one read, where one follows the other. */
  readonly chunkBytes: number
  /** [from, to), all of them. */
  read (from: number, to: number): Promise<Buffer>
}

const unpackedBytes = 3 * 2 ** 18

/** By the first bytes, whatever the name says: stores and browsers unpack files and leave their names. */
export function compressionOf (head: Buffer): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  return isZstdFrame(head) ? 'zstd' : 'none'
}

/** The content from `from` on, which is a place in the file itself and 0 where it is compressed. Throws FILE_REFUSED where it is damaged. */
export async function * decode (bytes: Bytes, compression: Compression, from = 0): AsyncGenerator<Buffer, void, void> {
  switch (compression) {
    case 'none':
      yield * raw(bytes, from)
      break
    case 'gzip': {
      const decoder = createGunzip({ chunkSize: unpackedBytes })
      yield * through(decoder, bytes, 0)
      await checkPadding(bytes, decoder.bytesWritten)
      break
    }
    case 'zstd': {
      // The decoder ends with a frame, and a file may have many.
      let at = 0
      while (at < bytes.length) {
        if (at > 0 && !isZstdFrame(await bytes.read(at, Math.min(bytes.length, at + 4)))) throw damaged(bytes.name, 'zstd', at, 'there are other bytes behind its end')
        const decoder = createZstdDecompress({ chunkSize: unpackedBytes })
        yield * through(decoder, bytes, at)
        at += decoder.bytesWritten
      }
    }
  }
}

/** The decoder takes a zero for the end of all members. Behind padding nothing may follow: that would be a member whose beginning is damaged. */
async function checkPadding (bytes: Bytes, from: number): Promise<void> {
  for (let at = from; at < bytes.length; at += bytes.chunkBytes) {
    const rest = await bytes.read(at, Math.min(bytes.length, at + bytes.chunkBytes))
    if (rest.some(byte => byte !== 0)) throw damaged(bytes.name, 'gzip', at, 'there are other bytes behind its end')
  }
}

/** A frame of data, or one that is to be skipped. */
function isZstdFrame (head: Buffer): boolean {
  if (head.length < 4) return false
  const magic = head.readUInt32LE(0)
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50
}

/** One read is always under way while the bytes of the one before are worked on. */
async function * raw (bytes: Bytes, from: number): AsyncGenerator<Buffer, void, void> {
  const { chunkBytes, length } = bytes
  const readAt = (at: number): Promise<Buffer> | undefined => at < length ? bytes.read(at, Math.min(length, at + chunkBytes)) : undefined
  let next = readAt(from)
  try {
    for (let at = from; next !== undefined; at += chunkBytes) {
      const chunk = await next
      next = readAt(at + chunkBytes)
      // Whoever asks for it hears of its failure.
      next?.catch(() => {})
      yield chunk
    }
  } finally {
    // The file is closed next.
    await next?.catch(() => {})
  }
}

async function * through (decoder: Gunzip | ZstdDecompress, bytes: Bytes, from: number): AsyncGenerator<Buffer, void, void> {
  const source = Readable.from(raw(bytes, from), { objectMode: true, highWaterMark: 1 })
  // A failure of the source is told as it is, not as a content that ends early.
  source.once('error', error => decoder.destroy(error))
  source.pipe(decoder)
  try {
    for await (const chunk of decoder) yield chunk as Buffer
  } catch (error) {
    if (error instanceof PlatformError) throw error
    throw damaged(bytes.name, decoder.constructor.name === 'Gunzip' ? 'gzip' : 'zstd', from + decoder.bytesWritten, saidOf(error))
  } finally {
    source.unpipe(decoder)
    source.destroy()
    decoder.destroy()
  }
}

function saidOf (error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'Z_BUF_ERROR' ? 'it ends in the middle' : message
}

function damaged (name: string, compression: string, at: number, says: string): PlatformError {
  return new PlatformError('FILE_REFUSED', `${name} is damaged: its ${compression} data cannot be unpacked near byte ${at}: ${says}.`, { remedy: 'Put a whole file in its place; what is not taken of it yet is then taken.' })
}
