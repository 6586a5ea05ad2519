import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { createCertificate } from './certificate.ts'
import { answerControl, CONTROL } from './control.ts'
import { Gateway } from './gateway.ts'
import type { Simulator } from './handle.ts'
import { API, createRest } from './rest.ts'
import { settle, type SimulatorOptions } from './settings.ts'
import { SocketSession } from './websocket.ts'

export type { Simulator } from './handle.ts'
export type { SentFrame } from './ledger.ts'
export type { SimulatorOptions } from './settings.ts'

/** Starts a gateway that behaves as the real one does, on loopback, and replays recorded prices. */
export async function startSimulator (options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = settle(options)
  const gateway = new Gateway(settings)
  const sessions = new Set<SocketSession>()
  const rest = createRest(gateway, conid => { for (const session of sessions) session.end(conid) })
  const server: Server = settings.tls ? createHttps(createCertificate()) : createHttp()
  server.on('upgrade', createUpgrade(gateway, sessions, trackConnections(server)))
  try {
    await listen(server, settings)
  } catch (error) {
    gateway.session.close()
    throw error
  }
  const address = server.address() as AddressInfo
  const simulator = describe({ gateway, sessions, address, close: () => close(server, gateway, sessions) })
  server.on('request', (request, response) => { void route(simulator, rest, request, response) })
  for (const { name, args } of settings.faults) simulator.fault(name, args)
  return simulator
}

async function route (simulator: Simulator, rest: ReturnType<typeof createRest>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '/'
  try {
    if (path === CONTROL || path.startsWith(`${CONTROL}/`) || path.startsWith(`${CONTROL}?`)) await answerControl(simulator, request, response)
    else if (path.startsWith(`${API}/`)) await rest(request, response)
    else response.writeHead(404, { 'content-type': 'text/html' }).end('<html><body><h1>Resource not found</h1></body></html>')
  } catch (error) {
    // A client that goes away in the middle of its request is owed nothing; anything else is a defect it may see.
    if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: String(error) }))
  }
}

function createUpgrade (gateway: Gateway, sessions: Set<SocketSession>, connections: ReadonlyMap<number, Socket>): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const websockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 1024 * 1024 })
  return (request, socket, head) => {
    const status = refusal(gateway, request)
    socket.on('error', () => socket.destroy())
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    (socket as Socket).setNoDelay(true)
    websockets.handleUpgrade(request, socket, head, websocket => {
      const session = new SocketSession(gateway, websocket, request, connections.get(request.socket.remotePort!) ?? request.socket)
      sessions.add(session)
      websocket.on('close', () => sessions.delete(session))
    })
  }
}

function refusal ({ faults, session }: Gateway, request: IncomingMessage): number | undefined {
  if (faults.active('maintenance') !== undefined) return 503
  const refused = faults.active('refuse-connect')
  if (refused !== undefined) return Number(refused['status'] ?? 403)
  if (new URL(request.url ?? '/', 'http://gateway').pathname !== `${API}/ws`) return 404
  return session.loggedIn ? undefined : 401
}

/** Every TCP connection by the client's port: TLS hides them, and has no public way back to them. */
function trackConnections (server: Server): ReadonlyMap<number, Socket> {
  const connections = new Map<number, Socket>()
  server.on('connection', (socket: Socket) => {
    const { remotePort } = socket
    if (remotePort === undefined) return // gone already
    connections.set(remotePort, socket)
    socket.once('close', () => { if (connections.get(remotePort) === socket) connections.delete(remotePort) })
  })
  return connections
}

async function listen (server: Server, { port, host }: { readonly port: number, readonly host: string }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, host, resolve)
  try {
    await promise
  } catch (cause) {
    throw new Error(`the simulator cannot listen on ${host}:${port}: ${(cause as Error).message}; choose another port, or 0 for a free one`, { cause })
  } finally {
    server.off('error', reject)
  }
}

async function close (server: Server, gateway: Gateway, sessions: ReadonlySet<SocketSession>): Promise<void> {
  if (!server.listening) return
  gateway.faults.clear()
  gateway.session.close()
  for (const session of sessions) session.terminate()
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeAllConnections()
  await promise
}

function describe ({ gateway, sessions, address, close }: { readonly gateway: Gateway, readonly sessions: ReadonlySet<SocketSession>, readonly address: AddressInfo, readonly close: () => Promise<void> }): Simulator {
  const { settings, faults, ledger, lines, stats } = gateway
  const host = address.family === 'IPv6' && address.address !== '::' ? `[${address.address}]` : address.address.replace(/^(0\.0\.0\.0|::)$/, '127.0.0.1')
  return {
    url: `${settings.tls ? 'https' : 'http'}://${host}:${address.port}${API}`,
    port: address.port,
    instruments: [...gateway.instruments.values()].map(({ replay, ...listing }) => listing),
    get sent () { return ledger.frames },
    get faults () { return faults.list() },
    get stats () {
      const streams = [...sessions].reduce((sum, session) => sum + session.conids.length, 0)
      return { ...stats, sockets: sessions.size, lines: lines.count, streams, ledgerTotal: ledger.total, ledgerDropped: ledger.dropped }
    },
    fault: (name, args) => faults.set(name, args),
    clearFault: name => faults.clear(name),
    clearSent: () => ledger.clear(),
    close
  }
}
