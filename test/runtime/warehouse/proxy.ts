// A proxy in front of an engine: each statement waits for a word on what becomes of it.

import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** `unsent`: the engine never gets it. `unanswered`: the engine does it, and the answer is lost. */
export type Fate = 'pass' | 'unsent' | 'unanswered'

export interface Proxy {
  readonly url: string
  close (): Promise<void>
}

/** Stands before the engine at `url`; `decide` gets the text of each statement before the engine does. */
export async function startProxy (url: string, decide: (sql: string) => Fate | Promise<Fate>): Promise<Proxy> {
  const { hostname, port } = new URL(url)
  const server = createServer((asked, answer) => {
    void (async () => {
      const body = await buffer(asked)
      const sql = new URL(asked.url ?? '/', url).searchParams.get('query') ?? body.toString()
      const fate = asked.method === 'POST' ? await decide(sql) : 'pass'
      if (fate === 'unsent') return asked.socket.destroy()
      const { 'transfer-encoding': _, ...others } = asked.headers
      const headers = { ...others, 'content-length': body.length }
      const forward = request({ hostname, port, path: asked.url, method: asked.method, headers })
      forward.end(body)
      const [found] = await once(forward, 'response') as [IncomingMessage]
      if (fate === 'unanswered') {
        await buffer(found)
        return asked.socket.destroy()
      }
      answer.writeHead(found.statusCode ?? 502, found.headers)
      found.pipe(answer)
    })().catch(() => asked.socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = new URL(url)
  own.port = String((server.address() as AddressInfo).port)
  return {
    url: own.href,
    async close () {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}
