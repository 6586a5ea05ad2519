import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FaultArguments } from './faults.ts'
import type { Simulator } from './handle.ts'

/** Path below which the simulator is controlled. */
export const CONTROL = '/simulator'
const bodyBytesMax = 64 * 1024

/**
 * Switches faults and reads the ledger from another process; not part of the real API, so it lies outside of it.
 *
 *   GET    /simulator                        what is open, the counters, the instruments
 *   GET    /simulator/faults                 the faults that are on
 *   POST   /simulator/faults                 {"name":"drop-tcp","args":{"every":"30s"}}
 *   DELETE /simulator/faults[?name=…]        switches one off, or all
 *   GET    /simulator/ledger[?after=index&limit=n&conid=…&socket=…]
 *   DELETE /simulator/ledger
 */
export async function answerControl (simulator: Simulator, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://simulator')
  const loopback = /^(::ffff:)?127\.|^::1$/.test(request.socket.remoteAddress ?? '')
  if (!loopback) return send(response, 403, { error: 'The simulator can be controlled from this machine only' })
  try {
    const answer = await control(simulator, url, request)
    send(response, answer === undefined ? 404 : 200, answer ?? { error: `${request.method} ${url.pathname}: no such control` })
  } catch (error) {
    send(response, 400, { error: error instanceof Error ? error.message : String(error) })
  }
}

async function control (simulator: Simulator, url: URL, request: IncomingMessage): Promise<unknown> {
  const { searchParams } = url
  switch (`${request.method} ${url.pathname.slice(CONTROL.length)}`) {
    case 'GET ': return { url: simulator.url, instruments: simulator.instruments, faults: simulator.faults, stats: simulator.stats }
    case 'GET /faults': return simulator.faults
    case 'POST /faults': {
      const { name, args = {} } = await readJson(request) as { name?: unknown, args?: FaultArguments }
      simulator.fault(String(name), args)
      return simulator.faults
    }
    case 'DELETE /faults':
      simulator.clearFault(searchParams.get('name') ?? undefined)
      return simulator.faults
    case 'GET /ledger': return readLedger(simulator, searchParams)
    case 'DELETE /ledger':
      simulator.clearSent()
      return { frames: [] }
    default: return undefined
  }
}

function readLedger (simulator: Simulator, wanted: URLSearchParams): object {
  const after = Number(wanted.get('after') ?? -1)
  const limit = Number(wanted.get('limit') ?? 10_000)
  const frames = simulator.sent.filter(frame => frame.index > after &&
    (!wanted.has('conid') || frame.conid === Number(wanted.get('conid'))) &&
    (!wanted.has('socket') || frame.socket === Number(wanted.get('socket'))))
  return { frames: frames.slice(0, limit), more: frames.length > limit, dropped: simulator.stats.ledgerDropped }
}

async function readJson (request: IncomingMessage): Promise<object> {
  let text = ''
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8')
    if (text.length > bodyBytesMax) throw new Error(`the body is larger than ${bodyBytesMax} bytes`)
  }
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new Error('the body must be {"name":…,"args":{…}}')
  return value
}

function send (response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
