// A gateway that is always ready, and whose history is told by the test.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface AnsweringGateway {
  readonly url: string
  close (): Promise<void>
}

/** `history` makes the body of each answer; a text is sent as it is. */
export async function answeringGateway (history: () => unknown): Promise<AnsweringGateway> {
  const ready = { session: 's', iserver: { authStatus: { authenticated: true, connected: true, competing: false } } }
  const server = createServer(({ url = '' }, response) => {
    const body = url.includes('/tickle') ? ready : url.includes('/history') ? history() : {}
    response.setHeader('content-type', 'application/json').end(typeof body === 'string' ? body : JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/api`,
    async close () {
      if (!server.listening) return
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}
