// A REST source in the hands of a test: what it answers is a function of the request.

import { once } from 'node:events'
import { createServer } from 'node:http'
import http from '../../../../plugins/inputs/http/index.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../../conform/context.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { Json, Row, Run } from '../../../../runtime/plugin.ts'
import type { FakeContext } from '../../../conform/context.ts'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** JSON, or what the function does with the response. */
export type Reply = { readonly json: unknown, readonly status?: number, readonly headers?: Record<string, string> } | ((response: ServerResponse) => void)

export interface RestSource {
  readonly url: string
  /** All requests so far, oldest first. */
  readonly asked: Asked[]
  close (): Promise<void>
}

export async function restSource (reply: (asked: Asked, n: number) => Reply): Promise<RestSource> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const url = new URL(request.url ?? '', 'http://localhost')
      const one = { method: request.method ?? '', path: url.pathname, query: Object.fromEntries(url.searchParams), headers: request.headers, body: Buffer.concat(pieces).toString() }
      asked.push(one)
      const answer = reply(one, asked.length - 1)
      if (typeof answer === 'function') return answer(response)
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
      response.end(JSON.stringify(answer.json))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/rows`,
    asked,
    async close () {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

/** The same, closed at the end of the test. */
export async function startSource (t: Test, reply: (asked: Asked, n: number) => Reply): Promise<RestSource> {
  const source = await restSource(reply)
  t.teardown(() => source.close())
  return source
}

export function text (body: string | Uint8Array, status = 200, headers: Record<string, string> = {}): Reply {
  return response => {
    response.writeHead(status, { 'content-type': 'text/plain', ...headers })
    response.end(body)
  }
}

export interface ReadOptions {
  readonly checkpoint?: Json | undefined
  readonly run?: Run | undefined
  readonly now?: number
  /** Chunks that become durable; then the reading is given up. */
  readonly chunks?: number
}

export interface Read {
  readonly rows: Row[]
  readonly checkpoint: Json | undefined
  readonly context: FakeContext
  /** Rows of each chunk. */
  readonly lengths: number[]
  readonly error: unknown
}

export const run = (id: string, from = 0, to = 1, kind: Run['kind'] = 'scheduled'): Run => ({ id, from, to, kind })

/** One reading, as a runtime does it: the checkpoint is that of the last chunk that was durable. */
export async function readSource (given: Readonly<Record<string, Json>>, { checkpoint, chunks = Infinity, run: one = run('run'), now }: ReadOptions = {}): Promise<Read> {
  const context = fakeContext({ topic: fakeTopic('rows', ['n']), run: one, checkpoint: checkpoint === undefined ? undefined : JSON.parse(JSON.stringify(checkpoint)) as Json, ...(now !== undefined && { now }) })
  const rows: Row[] = []
  const lengths: number[] = []
  let error: unknown
  let saved = checkpoint
  try {
    if (chunks > 0) {
      for await (const chunk of http.read(configure(http, { retry_ms: 1, ...given }), context)) {
        rows.push(...chunk.batch.rows())
        lengths.push(chunk.batch.length)
        if (chunk.checkpoint !== undefined) saved = chunk.checkpoint
        if (lengths.length === chunks) break
      }
    }
  } catch (thrown) {
    error = thrown
  }
  return { rows, checkpoint: saved, context, lengths, error }
}
