import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Transform } from 'node:stream'
import { createBrotliCompress, createDeflate, createGzip, createZstdCompress, constants } from 'node:zlib'
import { ClientGone } from './body.ts'
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

  constructor (request: IncomingMessage, response: ServerResponse, options: AnswerOptions) {
    this.#response = response
    this.#options = options
    const accepted = String(request.headers['accept-encoding'] ?? '').toLowerCase().split(',').map(part => part.split(';')[0]?.trim())
    this.#encoding = options.compress === true ? encoders.find(([name]) => accepted.includes(name)) : undefined
  }

  get begun (): boolean {
    return this.#response.headersSent
  }

  /** Whether the client hung up before it had everything. */
  get abandoned (): boolean {
    return this.#response.destroyed && !this.#response.writableFinished
  }

  onAbandoned (listener: () => void): void {
    this.#response.once('close', () => { if (!this.#response.writableFinished) listener() })
  }

  begin (format: string, finished?: Finished, writtenRows = 0): void {
    this.#headers()
    this.#response.setHeader('Content-Type', contentType(format))
    this.#response.setHeader('X-ClickHouse-Format', format)
    this.#response.setHeader('X-ClickHouse-Exception-Tag', this.#tag)
    if (finished !== undefined) this.#response.setHeader('X-ClickHouse-Summary', summary(finished, writtenRows))
    if (this.#encoding !== undefined) {
      this.#response.setHeader('Content-Encoding', this.#encoding[0])
      this.#encoder = this.#encoding[1]()
      this.#encoder.pipe(this.#response)
    }
    this.#response.writeHead(200)
  }

  /** Resolves when there is room for more; rejects when the client has gone. */
  async write (piece: Uint8Array): Promise<void> {
    const target = this.#encoder ?? this.#response
    if (this.#response.destroyed) throw new ClientGone()
    if (!target.write(piece)) await this.#drained(target)
  }

  end (piece?: Uint8Array): void {
    const target = this.#encoder ?? this.#response
    if (piece === undefined || piece.length === 0) target.end()
    else target.end(piece)
  }

  fail (error: QueryError, { status = statusOf(error), headers = {} }: { status?: number, headers?: Record<string, string> } = {}): void {
    const text = render(error, this.#options.version)
    if (this.begun) {
      this.#cut(text)
      return
    }
    this.#headers()
    this.#response.writeHead(status, { ...headers, 'Content-Type': 'text/plain; charset=UTF-8', 'X-ClickHouse-Exception-Code': String(error.code) })
    this.#response.end(text)
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
    return new Promise((resolve, reject) => {
      const settle = (then: () => void) => {
        clearTimeout(timer)
        target.off('drain', drained)
        this.#response.off('close', closed)
        then()
      }
      const drained = () => { settle(resolve) }
      const closed = () => { settle(() => { reject(new ClientGone()) }) }
      const timer = setTimeout(() => { this.#response.destroy() }, stalledMs)
      target.once('drain', drained)
      this.#response.once('close', closed)
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
