import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Duplex } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { fault } from './errors.ts'

const decoders: Record<string, () => Duplex> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress()
}
/** Encodings that the engine reads and Node does not. */
const engineEncodings = new Set(['lz4', 'xz', 'bz2', 'snappy'])

/** A request's body, read piece by piece, never longer than the limit once decompressed. */
export class Body {
  readonly #source: AsyncIterator<Buffer>
  readonly #bytesMax: number
  #bytes = 0
  #pushedBack: Buffer | undefined

  constructor (source: AsyncIterable<Buffer>, bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next piece; undefined at the end. */
  async next (): Promise<Buffer | undefined> {
    if (this.#pushedBack !== undefined) {
      const piece = this.#pushedBack
      this.#pushedBack = undefined
      return piece
    }
    const { value, done } = await this.#read()
    if (done === true) return undefined
    this.#bytes += value.length
    if (this.#bytes > this.#bytesMax) {
      throw fault('QUERY_IS_TOO_LARGE', `The body is larger than ${this.#bytesMax} bytes once decompressed: send it in several requests`)
    }
    return value
  }

  /** The first bytes, at least `bytes` of them unless the body is shorter; they are read, and are to be given back if not used. */
  async head (bytes: number): Promise<{ readonly head: Buffer, readonly whole: boolean }> {
    const pieces: Buffer[] = []
    let length = 0
    while (length < bytes) {
      const piece = await this.next()
      if (piece === undefined) return { head: Buffer.concat(pieces), whole: true }
      pieces.push(piece)
      length += piece.length
    }
    return { head: Buffer.concat(pieces), whole: false }
  }

  giveBack (piece: Buffer): void {
    if (piece.length > 0) this.#pushedBack = piece
  }

  async #read (): Promise<IteratorResult<Buffer, unknown>> {
    try {
      return await this.#source.next()
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? ''
      if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE') throw new ClientGone()
      throw fault('CANNOT_DECOMPRESS', `Cannot decompress the body: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

/** The client hung up before its body was complete: nothing is to be done, and nobody is there to be told. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
}

/** The body of a request. What Node cannot unpack, `unpack` does. */
export async function openBody (request: IncomingMessage, bytesMax: number, unpack: (packed: Body, encoding: string) => Promise<Buffer>): Promise<Body> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase()
  if (!engineEncodings.has(encoding)) return new Body(decoded(request, encoding), bytesMax)
  const whole = await unpack(new Body(request, bytesMax), encoding)
  return new Body(Readable.from([whole]), bytesMax)
}

function decoded (request: IncomingMessage, encoding: string): Readable {
  if (encoding === 'identity' || encoding === '') return request
  const decoder = decoders[encoding]?.()
  if (decoder === undefined) throw fault('NOT_IMPLEMENTED', `Unknown Content-Encoding '${encoding}': use gzip, zstd, br, deflate or lz4`)
  request.on('error', error => decoder.destroy(error))
  request.on('close', () => { if (!request.complete) decoder.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })) })
  return request.pipe(decoder)
}
