import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Transform } from 'node:stream'
import { createBrotliCompress, createDeflate, createGzip, createZstdCompress, constants } from 'node:zlib'
import type { Finished } from './engine.ts'
import { render, statusOf } from './errors.ts'
import type { QueryError } from './errors.ts'

const encoders: ReadonlyArray<readonly [string, () => Transform]> = [
  ['zstd', () => createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } })],
  ['gzip', () => createGzip({ level: 3 })],
  ['deflate', () => createDeflate({ level: 3 })],
  ['br', () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })]
]
/** A client that takes nothing for this long has gone. */
const stalledMs = 60_000
/** The first part of a result waits for the rest, for until it is sent a failure can still have its own status. */
const heldBytesMax = 1024 * 1024

export interface AnswerOptions {
  readonly version: string
  readonly timezone: string
  readonly queryId?: string
  readonly compress?: boolean
}

/**
 * One HTTP answer: headers, then pieces of the result as fast as the client takes them.
 * A failure before the first piece is an answer of its own; a later one ends the body with ClickHouse's exception
 * block and cuts the connection, so that no client takes half a result for a whole one.
 */
export class Answer {
  readonly #response: ServerResponse
  readonly #options: AnswerOptions
  readonly #tag = randomBytes(8).toString('hex')
  readonly #encoding: readonly [string, () => Transform] | undefined
  #encoder: Transform | undefined
  #held: Uint8Array[] = []
  #heldBytes = 0

  constructor (request: IncomingMessage, response: ServerResponse, options: AnswerOptions) {
    this.#response = response
    this.#options = options
    const accepted = String(request.headers['accept-encoding'] ?? '').toLowerCase().split(',').map(part => part.split(';')[0]?.trim())
    this.#encoding = options.compress === true ? encoders.find(([name]) => accepted.includes(name)) : undefined
  }

  /** Whether the client hung up before it had everything. */
  get abandoned (): boolean {
    return this.#response.destroyed && !this.#response.writableFinished
  }

  onAbandoned (listener: () => void): void {
    this.#response.once('close', () => { if (!this.#response.writableFinished) listener() })
  }

  /** Resolves when there is room for more, or nobody left to take it. */
  async write (piece: Uint8Array, format: string): Promise<void> {
    if (!this.#response.headersSent) {
      this.#held.push(piece)
      this.#heldBytes += piece.length
      if (this.#heldBytes < heldBytesMax) return
      this.#begin(format)
      await this.#send(Buffer.concat(this.#held))
      this.#held = []
      return
    }
    await this.#send(piece)
  }

  /** The last piece, and how it went. */
  end (format: string, finished: Finished, piece: Uint8Array | undefined, writtenRows = 0): void {
    if (!this.#response.headersSent) {
      this.#response.setHeader('X-ClickHouse-Summary', summary(finished, writtenRows))
      this.#begin(format)
    }
    const target = this.#encoder ?? this.#response
    for (const held of this.#held) target.write(held)
    if (piece === undefined || piece.length === 0) target.end()
    else target.end(piece)
  }

  fail (error: QueryError, { status = statusOf(error), headers = {} }: { status?: number, headers?: Record<string, string> } = {}): void {
    const text = render(error, this.#options.version)
    if (this.#response.headersSent) {
      this.#cut(text)
      return
    }
    this.#headers()
    this.#response.writeHead(status, { ...headers, 'Content-Type': 'text/plain; charset=UTF-8', 'X-ClickHouse-Exception-Code': String(error.code) })
    this.#response.end(text)
  }

  #begin (format: string): void {
    this.#headers()
    this.#response.setHeader('Content-Type', contentType(format))
    this.#response.setHeader('X-ClickHouse-Format', format)
    this.#response.setHeader('X-ClickHouse-Exception-Tag', this.#tag)
    if (this.#encoding !== undefined) {
      this.#response.setHeader('Content-Encoding', this.#encoding[0])
      this.#encoder = this.#encoding[1]()
      this.#encoder.pipe(this.#response)
    }
    this.#response.writeHead(200)
  }

  async #send (piece: Uint8Array): Promise<void> {
    const target = this.#encoder ?? this.#response
    if (!this.#response.destroyed && !target.write(piece)) await this.#drained(target)
  }

  #cut (text: string): void {
    const mark = '__exception__'
    const block = `\r\n${mark}\r\n${this.#tag}\r\n${text}${Buffer.byteLength(text)} ${this.#tag}\r\n${mark}\r\n`
    const destroy = () => { this.#response.destroy() }
    if (this.#encoder === undefined) this.#response.write(block, destroy)
    else this.#encoder.end(block).once('end', destroy)
  }

  #headers (): void {
    this.#response.setHeader('X-ClickHouse-Server-Display-Name', 'twolane-embedded')
    this.#response.setHeader('X-ClickHouse-Timezone', this.#options.timezone)
    if (this.#options.queryId !== undefined) this.#response.setHeader('X-ClickHouse-Query-Id', headerText(this.#options.queryId))
  }

  #drained (target: Transform | ServerResponse): Promise<void> {
    return new Promise(resolve => {
      const settle = () => {
        clearTimeout(timer)
        target.off('drain', settle)
        this.#response.off('close', settle)
        resolve()
      }
      const timer = setTimeout(() => { this.#response.destroy() }, stalledMs)
      target.once('drain', settle)
      this.#response.once('close', settle)
    })
  }
}

/** A header takes printable ASCII only. */
function headerText (text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}

function summary ({ elapsed, rowsRead, bytesRead, bytes }: Finished, writtenRows: number): string {
  return JSON.stringify({
    read_rows: String(rowsRead),
    read_bytes: String(bytesRead),
    written_rows: String(writtenRows),
    written_bytes: String(writtenRows > 0 ? bytesRead : 0),
    total_rows_to_read: '0',
    result_rows: String(writtenRows),
    result_bytes: String(bytes.length),
    elapsed_ns: String(Math.round(elapsed * 1e9))
  })
}

function contentType (format: string): string {
  const name = format.toLowerCase()
  if (/^json\w*(eachrow|strings?eachrow)/.test(name)) return 'application/x-ndjson; charset=UTF-8'
  if (name.startsWith('json')) return 'application/json; charset=UTF-8'
  if (name.startsWith('csv')) return 'text/csv; charset=UTF-8; header=' + (name.includes('withnames') ? 'present' : 'absent')
  if (name.startsWith('tsv') || name.startsWith('tabseparated')) return 'text/tab-separated-values; charset=UTF-8'
  if (name === 'xml') return 'application/xml; charset=UTF-8'
  if (/^(arrow|native|rowbinary|parquet|orc|avro|msgpack|protobuf|capnproto|npy|rawblob|bson)/.test(name)) return 'application/octet-stream'
  return 'text/plain; charset=UTF-8'
}
