// For a thread that tests a connection: all sockets of the thread go through here, whatever library opens them. Names are
// looked up once and their addresses checked; what may not be connected to is refused before a packet is sent. What the
// sockets do is noted, so that whoever waits sees how far a connection came.

import { isIP, Server, Socket } from 'node:net'
import { systemLookup, guardedLookup, refusedConnection } from './guarded-lookup.ts'
import type { AddressInfo, TcpSocketConnectOpts } from 'node:net'
import type { AddressPolicy } from './address-policy.ts'
import type { Lookup } from './guarded-lookup.ts'

export interface NetworkEvent {
  readonly what: 'resolved' | 'connected' | 'refused' | 'failed'
  /** One sentence without its full stop. */
  readonly detail: string
  readonly ms: number
}

export interface NetworkWatch {
  /** In the order in which they happened; the first `eventsMax` of them. */
  readonly events: readonly NetworkEvent[]
  /** Sockets go their own ways again. */
  stop (): void
}

interface GuardOptions {
  readonly policy: AddressPolicy
  /** Places of the platform itself, as host:port, that the plugin under test is given. */
  readonly own?: ReadonlySet<string>
  readonly lookup?: Lookup
}

const eventsMax = 100

/** For the thread as a whole, until `stop`. A server that the thread itself listens with can be connected to: a simulator is one. */
export function guardNetwork ({ policy, own = new Set(), lookup = systemLookup }: GuardOptions): NetworkWatch {
  const events: NetworkEvent[] = []
  const note = (what: NetworkEvent['what'], detail: string, since: number): void => {
    if (events.length < eventsMax) events.push({ what, detail, ms: Math.round(performance.now() - since) })
  }
  const listening = new Set<number>()
  const { connect } = Socket.prototype
  const { listen } = Server.prototype
  const open: AddressPolicy = { refusal: () => undefined }

  function guarded (this: Socket, ...given: unknown[]): Socket {
    const began = performance.now()
    const options = optionsOf(given)
    const refuse = (reason: string): Socket => {
      note('refused', reason, began)
      process.nextTick(() => this.destroy(refusedConnection(reason)))
      return this
    }
    if (options === undefined) return refuse('a socket of this machine is no connection that can be tested')
    const { host = 'localhost', port } = options
    const isOwn = own.has(`${host}:${port}`) || (listening.has(port) && ['127.0.0.1', '::1', 'localhost'].includes(host))
    const rule = isOwn ? open : policy
    const reason = isIP(host) > 0 ? rule.refusal(host, host, port) : undefined
    if (reason !== undefined) return refuse(reason)
    const watched: Lookup = (name, lookupOptions, callback) => {
      const since = performance.now()
      lookup(name, lookupOptions, (error, addresses) => {
        if (error !== null) note('failed', `${name} has no address: ${error.code ?? error.message}`, since)
        else {
          const refusal = addresses.map(({ address }) => rule.refusal(address, name, port)).find(found => found !== undefined)
          note(refusal === undefined ? 'resolved' : 'refused', refusal ?? `${name} is ${addresses.map(({ address }) => address).join(', ')}`, since)
        }
        callback(error, addresses)
      })
    }
    Object.assign(options, { lookup: guardedLookup(rule, port, watched) })
    this.once('connect', () => note('connected', `${host}:${port} took the connection`, began))
    this.once('error', (error: NodeJS.ErrnoException) => { if (this.connecting || error.syscall === 'connect') note('failed', `${host}:${port}: ${error.code ?? error.message}`, began) })
    return connect.apply(this, given as never)
  }

  function listened (this: Server, ...given: unknown[]): Server {
    this.once('listening', () => {
      const address = this.address() as AddressInfo | string | null
      if (typeof address === 'object' && address !== null) listening.add(address.port)
    })
    return listen.apply(this, given as never)
  }

  Socket.prototype.connect = guarded as never
  Server.prototype.listen = listened as never
  return {
    events,
    stop () {
      Socket.prototype.connect = connect
      Server.prototype.listen = listen
    }
  }
}

/** The options of a call to `connect`, in a place from which the call takes them; undefined: it is for no TCP address. */
function optionsOf (given: unknown[]): TcpSocketConnectOpts | undefined {
  const [first, second] = given
  // `net.connect` hands on its arguments as one array whose first item is the options.
  if (Array.isArray(first)) {
    first[0] = { ...first[0] as object }
    return tcp(first[0])
  }
  if (typeof first === 'object' && first !== null) {
    given[0] = { ...first }
    return tcp(given[0])
  }
  const port = Number(first)
  if (!Number.isInteger(port)) return undefined
  const options = { port, ...(typeof second === 'string' && { host: second }) }
  given.splice(0, typeof second === 'string' ? 2 : 1, options)
  return options
}

function tcp (options: unknown): TcpSocketConnectOpts | undefined {
  const { path, port, host } = options as { path?: unknown, port?: unknown, host?: unknown }
  if ((path !== undefined && path !== null) || port === undefined) return undefined
  const checked = options as { port: number, host?: string }
  checked.port = Number(port)
  if (host === null || host === '') delete checked.host
  return checked
}
