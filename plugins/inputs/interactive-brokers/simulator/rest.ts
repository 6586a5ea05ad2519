import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { contractRoutes } from './contracts.ts'
import type { Gateway } from './gateway.ts'
import { marketRoutes } from './market.ts'
import { Pace } from './pace.ts'
import { sessionRoutes } from './login.ts'
import type { Answer, Route, Routes } from './routes.ts'

/** Path below which the real gateway answers. */
export const API = '/v1/api'
const bodyBytesMax = 1024 * 1024
const routes: Routes = { ...sessionRoutes, ...contractRoutes, ...marketRoutes }

/** Answers everything below /v1/api, in the order in which the real gateway refuses: outage, pace, login, bridge. */
export function createRest (gateway: Gateway, endStreams: (conid: number) => void): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const pace = new Pace(gateway.settings)
  return async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://gateway')
    const path = url.pathname.slice(API.length + 1).replace(/\/$/, '')
    const name = `${request.method} ${path}`
    gateway.stats.requests[name] = (gateway.stats.requests[name] ?? 0) + 1
    const slow = gateway.faults.active('slow-rest')
    if (slow !== undefined && path.includes(String(slow['path'] ?? ''))) await wait(Number(slow['ms'] ?? 3000))
    const body = await readBody(request)
    const query = new Map(url.searchParams)
    const answer = refuse(gateway, path, pace) ?? await (findRoute(name)?.({ gateway, query, body, path, endStreams }) ?? missing(path))
    send(gateway, response, answer)
  }
}

function refuse (gateway: Gateway, path: string, pace: Pace): Answer | undefined {
  const { faults, session } = gateway
  if (faults.active('maintenance') !== undefined) return { status: 503, body: '<html><body><h1>503 Service Unavailable</h1></body></html>' }
  if (faults.active('too-many-requests') !== undefined || !pace.admit(Date.now())) return { status: 429, body: { error: 'Too Many Requests', statusCode: 429 } }
  if (!session.loggedIn) return { status: 401, body: '' }
  session.touch()
  const brokerage = path.startsWith('iserver/') && !path.startsWith('iserver/auth/') && path !== 'iserver/reauthenticate'
  const bridged = session.bridged && faults.active('no-bridge') === undefined
  return brokerage && !bridged ? { status: 400, body: { error: 'Bad Request: no bridge', statusCode: 400 } } : undefined
}

function findRoute (name: string): Route | undefined {
  return routes[name] ?? routes[name.replace(/\d+/, '*')]
}

function missing (path: string): Answer {
  return { status: 404, body: `<html><body><h1>Resource not found: ${encodeURI(path)}</h1></body></html>` }
}

async function readBody (request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= bodyBytesMax) chunks.push(chunk)
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    return typeof value === 'object' && value !== null ? value as Record<string, unknown> : {}
  } catch {
    return {} // no body, or not JSON: the route decides what it misses
  }
}

function send (gateway: Gateway, response: ServerResponse, { status = 200, body, headers = {} }: Answer): void {
  if (status >= 400) gateway.stats.refused[status] = (gateway.stats.refused[status] ?? 0) + 1
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const type = typeof body === 'string' ? 'text/html' : 'application/json; charset=utf-8'
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), ...headers }).end(text)
}
