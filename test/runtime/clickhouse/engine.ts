import { createClient } from '@clickhouse/client'
import type { ClickHouseClient } from '@clickhouse/client'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import type { EmbeddedClickHouse, EmbeddedOptions } from '../../../runtime/clickhouse/embedded.ts'

export const silent = { info () {}, warn () {}, error () {} }

/** An engine on a fresh folder, and the official client for it; `stop` ends both. */
export interface TestEngine {
  readonly engine: EmbeddedClickHouse
  readonly client: ClickHouseClient
  readonly folder: string
  /** A plain HTTP request with the engine's credentials. */
  ask (path: string, options?: AskOptions): Promise<Answered>
  stop (): Promise<void>
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array
  /** `null` sends none. */
  readonly user?: string | null
}

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  readonly text: string
}

export async function startTestEngine (options: Partial<EmbeddedOptions> = {}): Promise<TestEngine> {
  const folder = options.folder ?? await mkdtemp(join(tmpdir(), 'twolane-engine-'))
  const engine = await startEmbedded({ folder, log: silent, memoryBytesMax: 1024 ** 3, ...options })
  const client = createClient({ url: engine.url, log: { level: 127 } })
  return {
    engine,
    client,
    folder,
    ask: (path, asked) => ask(engine.url, path, asked),
    async stop () {
      await client.close()
      await engine.close()
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
    }
  }
}

function ask (engineUrl: string, path: string, { method, headers = {}, body, user }: AskOptions = {}): Promise<Answered> {
  const { origin, username, password } = new URL(engineUrl)
  const credentials = user === undefined ? `${username}:${decodeURIComponent(password)}` : user
  const authorization = credentials === null ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
  return new Promise((resolve, reject) => {
    const message = request(origin + path, { method: method ?? (body === undefined ? 'GET' : 'POST'), headers: { ...authorization, ...headers } }, response => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(pieces)
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, text: bytes.toString() })
      })
    })
    message.on('error', reject)
    message.end(body)
  })
}
