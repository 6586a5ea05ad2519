import { buildConnector, Agent, WebSocket } from 'undici'
import { readFileSync } from 'node:fs'
import { PlatformError } from '../../../runtime/errors.ts'
import type { Socket as TcpSocket } from 'node:net'
import type { Settings } from './options.ts'

const connectMs = 15_000

/** Options of TLS; the certificate file is read at each start, so that a new one needs a restart only. */
export function tlsOptions ({ caFile, rejectUnauthorized }: Pick<Settings, 'caFile' | 'rejectUnauthorized'>): { readonly ca?: Buffer, readonly rejectUnauthorized: boolean } {
  if (caFile === null) return { rejectUnauthorized }
  try {
    return { rejectUnauthorized, ca: readFileSync(caFile) }
  } catch (cause) {
    throw new PlatformError('CONFIG_INVALID', `The certificate file ${caFile} cannot be read`, { where: 'ca_file', remedy: 'Name a file in PEM format.', cause })
  }
}

export interface SocketHandlers {
  open (): void
  frame (data: string | ArrayBuffer): void
  /** Once, last. */
  close (reason: string): void
}

/** One WebSocket to the gateway, with the means to cut it: a peer that does not answer never completes a closing handshake. */
export class Socket {
  readonly #socket: WebSocket
  readonly #agent: Agent
  readonly #handlers: SocketHandlers
  readonly #giveUp: NodeJS.Timeout
  #tcp: TcpSocket | undefined
  #closed = false

  constructor (url: URL, cookie: string, tls: ReturnType<typeof tlsOptions>, handlers: SocketHandlers) {
    this.#handlers = handlers
    const connector = buildConnector({ ...tls, timeout: connectMs })
    this.#agent = new Agent({
      headersTimeout: connectMs,
      connect: (options, callback) => connector(options, (...result) => {
        const tcp = result[1] ?? undefined
        if (this.#closed) tcp?.destroy()
        this.#tcp = tcp
        callback(...result)
      })
    })
    this.#giveUp = setTimeout(() => this.#end('no WebSocket within 15 s'), connectMs)
    this.#socket = new WebSocket(url, { headers: { cookie, 'user-agent': 'twolane' }, dispatcher: this.#agent })
    this.#socket.binaryType = 'arraybuffer'
    let failure = ''
    this.#socket.addEventListener('open', () => {
      clearTimeout(this.#giveUp)
      if (!this.#closed) handlers.open()
    })
    this.#socket.addEventListener('message', event => {
      if (!this.#closed) handlers.frame(event.data as string | ArrayBuffer)
    })
    this.#socket.addEventListener('error', event => { failure = event.message })
    this.#socket.addEventListener('close', event => this.#end([`code ${event.code}`, event.reason, failure].filter(text => text !== '').join(' ')))
  }

  /** False when the socket is not open: the close is about to be told. */
  send (text: string): boolean {
    if (this.#closed || this.#socket.readyState !== WebSocket.OPEN) return false
    this.#socket.send(text)
    return true
  }

  /** Ends the socket now, however the peer is. What it sent before and was not read yet is lost. */
  cut (): void {
    this.#end('closed by the connector')
  }

  #end (reason: string): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#giveUp)
    if (this.#socket.readyState === WebSocket.OPEN || this.#socket.readyState === WebSocket.CONNECTING) this.#socket.close()
    // With the close frame on its way, as far as the peer takes it.
    this.#tcp?.destroySoon()
    setTimeout(() => this.#tcp?.destroy(), 500).unref()
    // Nothing of the agent is in use any more, and nobody waits for it.
    this.#agent.destroy().catch(() => {})
    this.#handlers.close(reason)
  }
}
