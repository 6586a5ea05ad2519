import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { concerns, type FaultArguments, type FaultName } from './faults.ts'
import type { Gateway } from './gateway.ts'
import { answerHistory } from './history.ts'
import { accountsOf, statusOf } from './status.ts'
import { Stream, type DataFrame } from './stream.ts'

/*
 * One WebSocket. Text frames come in: TOPIC[+target][+{json}]. JSON objects go out, in binary frames.
 *
 *   handshake with a valid cookie ──▶ system, act, sts ──▶ ready: smd, umd, smh, umh, tic, ech
 *   handshake without ──▶ {"message":"waiting for session"} ──▶ {"session":"<id>"} comes in ──▶ as above
 *
 * Subscriptions before `sts` said authenticated:true are ignored without a word. All end with the socket.
 */
const greetingMs = 10 // between the frames of the greeting
const backlogBytesMax = 8 * 1024 * 1024 // a client that reads slower than this gets fewer frames, as each one merges more
const historySlots = 5
const silentTopics = new Set(['sor', 'uor', 'spl', 'upl', 'str', 'utr', 'ssd', 'usd', 'sld', 'uld', 'sbd', 'ubd'])

/** Lives as long as its socket, and frees all it holds when that closes. */
export class SocketSession {
  readonly id: number
  readonly #gateway: Gateway
  readonly #socket: WebSocket
  readonly #tcp: Socket
  readonly #transport: Socket // the same, or TLS on top of it
  readonly #server: string
  readonly #streams = new Map<number, Stream>()
  readonly #stalled = new Map<number, string>() // conid to what revives it
  readonly #histories = new Set<string>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #accepted = false
  #greeted = false
  #frozen = false

  /** `tcp` is the connection itself, which under TLS is not the socket of the request: only TCP can be reset. */
  constructor (gateway: Gateway, socket: WebSocket, request: IncomingMessage, tcp: Socket) {
    this.#gateway = gateway
    this.#socket = socket
    this.#tcp = tcp
    this.#transport = request.socket
    this.id = ++gateway.stats.socketsOpened
    this.#server = `q${this.id % 33}` // another one for every socket, as the real one's is
    const onStatus = (changed: object) => this.#sendStatus(changed)
    const onLost = () => this.#endStreams()
    const onFault = (name: FaultName, args: FaultArguments | undefined) => this.#follow(name, args)
    gateway.session.on('status', onStatus).on('lost', onLost)
    gateway.faults.on('fault', onFault)
    socket.on('message', data => this.#receive(String(data)))
    // The close event follows every error, and frees everything.
    socket.on('error', () => {})
    socket.on('close', () => {
      gateway.session.off('status', onStatus).off('lost', onLost)
      gateway.faults.off('fault', onFault)
      for (const timer of this.#timers) clearTimeout(timer)
      this.#endStreams()
    })
    if (identify(request, gateway)) this.#accept()
    else this.#send({ message: 'waiting for session' })
  }

  get conids (): readonly number[] { return [...this.#streams.keys()] }

  /** POST unsubscribe and unsubscribeall end streams too. */
  end (conid: number): void {
    const stream = this.#streams.get(conid)
    if (stream === undefined) return
    stream.close()
    this.#streams.delete(conid)
    this.#gateway.lines.release(conid, `socket ${this.id}`)
  }

  terminate (): void {
    this.#socket.terminate()
  }

  #accept (): void {
    const { session, settings } = this.#gateway
    this.#accepted = true
    const greeting = [
      () => this.#send({ topic: 'system', success: session.user, isFT: false, isPaper: true }),
      () => session.status.authenticated && this.#send({ topic: 'act', args: accountsOf(this.#gateway) }),
      () => {
        this.#greeted = true
        this.#send({ topic: 'sts', args: statusOf(this.#gateway) })
      }
    ]
    greeting.forEach((step, i) => this.#timers.add(setTimeout(step, (i + 1) * greetingMs)))
    this.#timers.add(setInterval(() => {
      if (this.#gateway.faults.active('stop-heartbeat') === undefined) this.#send({ topic: 'system', hb: session.now() })
    }, settings.heartbeatMs))
  }

  #receive (text: string): void {
    if (this.#frozen) return
    if (!this.#accepted && sessionIn(text) === this.#gateway.session.id) return this.#accept()
    if (!this.#accepted) return this.#send({ message: 'waiting for session' })
    const [topic, target = '', json] = split(text)
    if (topic === 'tic') return this.#tic()
    if (text.startsWith('ech+hb')) return this.#socket.send('ech+hb')
    if (silentTopics.has(topic)) return
    if (topic === 'smd') return this.#subscribe(target, json)
    if (topic === 'umd') return this.#unsubscribe(target)
    if (topic === 'smh') return this.#history(target, json)
    if (topic === 'umh') return this.#endHistory(target)
    this.#gateway.stats.unknownTopics++
    this.#send({ error: `Topic unknown ${text.slice(0, 80)}`, code: 1 })
  }

  /** The real gateway answers each tic four times. */
  #tic (): void {
    const { session } = this.#gateway
    for (let i = 0; i < 4; i++) this.#send({ topic: 'tic', alive: true, id: session.id, lastAccessed: session.now() + i })
  }

  #subscribe (conidEx: string, json: Readonly<Record<string, unknown>> | undefined): void {
    const gateway = this.#gateway
    const conid = Number.parseInt(conidEx)
    const instrument = gateway.instruments.get(conid)
    const fields = json?.['fields']
    const ready = this.#greeted && gateway.session.status.authenticated
    if (!ready || instrument === undefined || !Array.isArray(fields) || !gateway.lines.take(conid, `socket ${this.id}`)) {
      gateway.stats.ignoredSubscriptions++
      return
    }
    if (this.#stalled.get(conid) === 'smd') this.#stalled.delete(conid)
    const stream = this.#streams.get(conid) ?? new Stream({
      gateway,
      instrument,
      conidEx,
      server: this.#server,
      send: frame => this.#sendData(frame),
      end: () => this.end(conid)
    })
    this.#streams.set(conid, stream)
    stream.renew(fields.map(String))
  }

  #unsubscribe (target: string): void {
    const conid = Number.parseInt(target)
    if (this.#stalled.get(conid) === 'umd') this.#stalled.delete(conid)
    this.end(conid)
  }

  #history (target: string, json: Readonly<Record<string, unknown>> | undefined): void {
    if (!this.#greeted || this.#histories.size >= historySlots) return
    const query = new Map(Object.entries({ conid: target, ...json }).map(([key, value]) => [key, String(value)]))
    const answer = answerHistory(this.#gateway, query)
    if ('error' in answer) return
    this.#histories.add(answer.serverId)
    this.#send({ ...answer, topic: `smh+${target}` })
  }

  #endHistory (serverId: string): void {
    if (this.#histories.delete(serverId)) this.#send({ message: `Unsubscribed ${serverId}` })
  }

  #endStreams (): void {
    for (const conid of [...this.#streams.keys()]) this.end(conid)
  }

  #sendStatus (changed: object): void {
    if (!this.#greeted) return
    const piecewise = this.#gateway.faults.active('piecewise-sts') !== undefined
    if (!piecewise) return this.#send({ topic: 'sts', args: statusOf(this.#gateway) })
    for (const [key, value] of Object.entries({ ...changed, message: '' })) this.#send({ topic: 'sts', args: { [key]: value } })
  }

  #sendData (frame: DataFrame): boolean {
    if (this.#socket.bufferedAmount > backlogBytesMax) return false
    if (this.#stalled.has(frame.conid) || this.#frozen) return true
    const { fields, ...base } = frame
    const row = { server_id: base.server_id, conidEx: base.conidEx, conid: base.conid, _updated: base._updated, 6119: base.server_id, ...fields, topic: base.topic }
    const copies = this.#gateway.faults.active('duplicate', frame.conid) === undefined ? 1 : 2
    for (let copy = 0; copy < copies; copy++) {
      const entry = this.#gateway.ledger.add({ socket: this.id, topic: base.topic, conid: base.conid, updated: base._updated, fields, duplicate: copy > 0 })
      this.#send(row, () => { entry.written = true })
    }
    return true
  }

  #send (frame: object, written?: () => void): void {
    this.#sendText(JSON.stringify(frame), written)
  }

  #sendText (text: string, written?: () => void): void {
    if (this.#frozen || this.#socket.readyState !== this.#socket.OPEN) return
    this.#gateway.stats.frames++
    // Binary, as the real gateway does, although it is JSON.
    this.#socket.send(Buffer.from(text), { binary: true }, error => { if (!error) written?.() })
  }

  #follow (name: FaultName, args: FaultArguments | undefined): void {
    if (args === undefined) {
      if (refreshing.has(name)) for (const stream of this.#streams.values()) stream.refresh()
      return
    }
    const concerned = this.conids.filter(conid => concerns(args, conid))
    const happen: Partial<Record<FaultName, () => void>> = {
      'drop-tcp': () => this.#tcp.resetAndDestroy(),
      'close-1006': () => this.#transport.end(),
      maintenance: () => this.#transport.end(),
      'close-1011': () => this.#socket.close(Number(args['code'] ?? 1011), 'Internal error'),
      freeze: () => {
        this.#frozen = true
        this.#transport.pause()
      },
      'silent-subscription': () => concerned.forEach(conid => this.#stalled.set(conid, String(args['heals'] ?? 'smd'))),
      'end-streams': () => concerned.forEach(conid => this.end(conid)),
      'piecewise-sts': () => this.#sendStatus(statusOf(this.#gateway)),
      garbage: () => this.#sendText('{"topic":"smd+265598","31":"19'),
      'empty-object': () => this.#send({}),
      'unknown-topic': () => this.#send({ topic: 'xyz', args: { text: 'nobody knows this topic' } }),
      'huge-frame': () => this.#send({ topic: 'ntf', args: [{ id: 'huge', title: 'huge', text: 'x'.repeat(Number(args['bytes'] ?? 4_194_304)) }] }),
      'empty-update': () => concerned.forEach(conid => this.#send({ topic: this.#topicOf(conid), server_id: this.#server, _updated: this.#gateway.session.now() })),
      'error-frame': () => concerned.forEach(conid => this.#send({ topic: this.#topicOf(conid), error: 'Server temporarily unavailable' }))
    }
    happen[name]?.()
    if (refreshing.has(name)) for (const conid of concerned) this.#streams.get(conid)?.refresh()
  }

  #topicOf (conid: number): string {
    return `smd+${this.#streams.get(conid)?.conidEx ?? conid}`
  }
}

const refreshing: ReadonlySet<FaultName> = new Set(['delayed', 'frozen', 'not-subscribed', 'no-agreement', 'closed', 'halted'])

/** The three ways of the real API: the api cookie, the x-sess-uuid cookie, the OAuth session in the api cookie. */
function identify (request: IncomingMessage, { session }: Gateway): boolean {
  const cookies = new Map((request.headers.cookie ?? '').split(';').map(pair => {
    const [name, value = ''] = pair.split(/=(.*)/s)
    return [name!.trim(), decode(value.trim())]
  }))
  const api = cookies.get('api')
  return session.loggedIn && (cookies.get('x-sess-uuid') === session.cookie || (api !== undefined && (api === session.id || sessionIn(api) === session.id)))
}

function decode (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a stray percent sign: taken as it is
  }
}

function sessionIn (text: string): unknown {
  try {
    return (JSON.parse(text) as { session?: unknown } | null)?.session
  } catch {
    return undefined // not JSON, so it holds no session
  }
}

/** Splits TOPIC+target+{json}; the JSON part is found by its brace, for it may hold any character. */
function split (text: string): [topic: string, target?: string, json?: Readonly<Record<string, unknown>>] {
  const brace = text.indexOf('{')
  const [topic, target] = (brace < 0 ? text : text.slice(0, brace)).split('+')
  try {
    return [topic!, target!, brace < 0 ? undefined! : JSON.parse(text.slice(brace)) as Record<string, unknown>]
  } catch {
    return [topic!, target!] // bad parameters are ignored by the real gateway too
  }
}
