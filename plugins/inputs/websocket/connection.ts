import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, WebSocket } from 'undici'
import { PlatformError, describe } from '../../../runtime/errors.ts'
import type { Dispatcher } from 'undici'
import type { Json } from '../../../runtime/plugin.ts'
import type { WebSocketConfig } from './options.ts'

const handshakeMs = 10_000
const closeMs = 300

/** Told what happens on a connection. */
export interface Listener {
  opened (): void
  received (message: string | ArrayBuffer): void
  /** Once: the connection could not be made, or is lost. */
  failed (error: Error): void
}

/** One connection. After `close` nobody is called any more. */
export function connect (config: WebSocketConfig, listener: Listener): { close (): Promise<void> } {
  const refused: { why?: string } = {}
  // An agent of its own: closing it leaves no socket, whatever state the handshake is in.
  const agent = new Agent({ connect: { timeout: handshakeMs }, webSocket: { maxPayloadSize: config.message_bytes_max } })
  const socket = new WebSocket(address(config), { dispatcher: agent.compose(noting(refused)), headers: { ...config.headers } })
  socket.binaryType = 'arraybuffer'
  const place = new URL(config.url)
  const name = `${place.protocol}//${place.host}${place.pathname}`
  const closed = Promise.withResolvers<void>()
  let over = false
  let opened = false
  let heartbeat: NodeJS.Timeout | undefined

  const fail = (message: string, remedy: string): void => {
    if (over) return
    over = true
    listener.failed(new PlatformError('SOURCE_UNAVAILABLE', message, { where: 'input.websocket.url', remedy }))
  }
  const idle = config.idle_seconds > 0 ? config.idle_seconds * 1000 : undefined
  let watch = setTimeout(() => fail(`${name} did not answer the handshake within ${handshakeMs / 1000} s.`, 'Check the address and the network.'), handshakeMs)

  socket.addEventListener('open', () => {
    clearTimeout(watch)
    if (over) return
    opened = true
    if (idle !== undefined) watch = setTimeout(() => fail(`${name} sent nothing for ${config.idle_seconds} s.`, 'Raise idle_seconds where the feed is quiet, or set a heartbeat that it answers.'), idle)
    for (const message of [...config.login, ...config.subscribe]) socket.send(textOf(message))
    if (config.heartbeat_interval_seconds > 0) heartbeat = setInterval(() => socket.send(config.heartbeat_message), config.heartbeat_interval_seconds * 1000)
    listener.opened()
  })
  socket.addEventListener('message', ({ data }) => {
    if (over) return
    if (idle !== undefined) watch.refresh()
    listener.received(data as string | ArrayBuffer)
  })
  // An error is always followed by a close, which tells as much.
  socket.addEventListener('error', () => {})
  socket.addEventListener('close', ({ code, reason }) => {
    closed.resolve()
    if (!opened) fail(`${name} cannot be reached: ${refused.why ?? 'the handshake failed'}.`, 'Check the address, the keys and the network.')
    else if (code === 1006) fail(`The connection to ${name} was lost, or a message was larger than message_bytes_max.`, 'It is made anew.')
    else fail(`${name} closed the connection with code ${code}${reason === '' ? '' : `: ${reason}`}.`, 'It is made anew; the code and the reason are the feed\'s.')
  })

  return {
    async close () {
      over = true
      clearTimeout(watch)
      clearInterval(heartbeat)
      socket.close()
      const late = new AbortController()
      await Promise.race([closed.promise, sleep(closeMs, undefined, { signal: late.signal }).catch(() => {})])
      late.abort()
      await agent.destroy()
    }
  }
}

function address ({ url, query }: WebSocketConfig): string {
  const full = new URL(url)
  for (const [name, value] of Object.entries(query)) full.searchParams.set(name, value)
  return full.href
}

function textOf (message: Json): string {
  return typeof message === 'string' ? message : JSON.stringify(message)
}

/** The WebSocket API tells nothing about a failed handshake; the request below it does. */
function noting (refused: { why?: string }): Dispatcher.DispatcherComposeInterceptor {
  return dispatch => (options, handler) => dispatch(options, {
    onRequestStart: (...given) => handler.onRequestStart?.(...given),
    onRequestUpgrade: (...given) => handler.onRequestUpgrade?.(...given),
    onResponseStart (controller, status, ...rest) {
      refused.why = `it answered ${status}`
      return handler.onResponseStart?.(controller, status, ...rest)
    },
    onResponseData: (...given) => handler.onResponseData?.(...given),
    onResponseEnd: (...given) => handler.onResponseEnd?.(...given),
    onResponseError (controller, error) {
      refused.why ??= describe(error)
      return handler.onResponseError?.(controller, error)
    }
  })
}
