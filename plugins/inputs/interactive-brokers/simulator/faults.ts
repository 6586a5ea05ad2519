import { EventEmitter } from 'node:events'

/** What a fault is told: numbers are milliseconds or counts, as the table says. */
export type FaultArguments = Readonly<Record<string, string | number>>

interface FaultKind {
  readonly kind: 'event' | 'switch' // an event happens once; a switch stays on until it is cleared
  readonly does: string
  readonly arguments: Readonly<Record<string, string>>
}

/** Every fault, by name. The README's table, `--fault` and the control path are made from this one. */
export const faultKinds = {
  'drop-tcp': { kind: 'event', does: 'Resets every WebSocket\'s TCP connection; rows in flight may be lost.', arguments: {} },
  'close-1006': { kind: 'event', does: 'Ends every WebSocket\'s TCP connection in order, after what was sent, but without a close frame.', arguments: {} },
  'close-1011': { kind: 'event', does: 'Closes every WebSocket with a close frame.', arguments: { code: 'close code (1011)' } },
  freeze: { kind: 'event', does: 'Every open WebSocket stays open, but nothing is read from it or sent to it any more, as after a pulled cable.', arguments: {} },
  'refuse-connect': { kind: 'switch', does: 'New WebSockets are refused during the handshake.', arguments: { status: 'HTTP status (403)' } },
  'stop-heartbeat': { kind: 'switch', does: 'No `system` heartbeat is sent; data goes on.', arguments: {} },
  'silent-subscription': { kind: 'event', does: 'Live smd streams fall silent while heartbeats go on.', arguments: { conid: 'only this one', heals: 'what revives it: smd (default), umd, or reconnect' } },
  'end-streams': { kind: 'event', does: 'Live smd streams end without notice, as after their ten minutes.', arguments: { conid: 'only this one' } },
  unauthenticated: { kind: 'switch', does: 'The brokerage session is lost: `sts` and status say authenticated:false, streams end. `ssodh/init` restores it.', arguments: {} },
  competing: { kind: 'switch', does: 'Another login takes the brokerage session over: competing:true, streams end. `ssodh/init` with compete:true takes it back.', arguments: {} },
  'piecewise-sts': { kind: 'switch', does: '`sts` frames carry one key each.', arguments: {} },
  'sso-expired': { kind: 'switch', does: 'The login is over: 401 on every call. Clearing it is the human\'s new login, with a new session id.', arguments: {} },
  'no-bridge': { kind: 'switch', does: 'Everything below /iserver answers 400 "no bridge".', arguments: {} },
  maintenance: { kind: 'switch', does: '503 on every call and handshake; open WebSockets are cut. Afterwards accounts must be queried again.', arguments: {} },
  'session-change': { kind: 'event', does: 'tickle hands out a new session id; streams end and the old one is no longer accepted.', arguments: {} },
  'accounts-lost': { kind: 'event', does: 'Snapshots fail until /iserver/accounts is called again, as after the daily reset.', arguments: {} },
  delayed: { kind: 'switch', does: 'Prices are 15 minutes old; 6509 says DPB.', arguments: { conid: 'only this one' } },
  frozen: { kind: 'switch', does: '6509 says ZB.', arguments: { conid: 'only this one' } },
  'not-subscribed': { kind: 'switch', does: 'No market data rights: 6509 says N, no prices come.', arguments: { conid: 'only this one' } },
  'no-agreement': { kind: 'switch', does: 'The market data agreement is not accepted: 6509 says O, no prices come.', arguments: { conid: 'only this one' } },
  closed: { kind: 'switch', does: 'The market is closed: field 31 is the previous close with prefix C, nothing moves.', arguments: { conid: 'only this one' } },
  halted: { kind: 'switch', does: 'Trading is halted: field 31 has prefix H, there is no bid and ask.', arguments: { conid: 'only this one' } },
  garbage: { kind: 'event', does: 'Sends a frame that is not JSON.', arguments: {} },
  'empty-object': { kind: 'event', does: 'Sends the frame `{}`.', arguments: {} },
  'empty-update': { kind: 'event', does: 'Sends an smd frame with a topic but without conid and fields, for every live stream.', arguments: { conid: 'only this one' } },
  'error-frame': { kind: 'event', does: 'Sends an smd frame with an `error` key, for every live stream.', arguments: { conid: 'only this one' } },
  'unknown-topic': { kind: 'event', does: 'Sends a frame of a topic that nobody knows.', arguments: {} },
  'huge-frame': { kind: 'event', does: 'Sends a very large ntf frame.', arguments: { bytes: 'size (4194304)' } },
  duplicate: { kind: 'switch', does: 'Every smd frame is sent twice.', arguments: { conid: 'only this one' } },
  'out-of-order': { kind: 'switch', does: 'Every second smd frame carries an `_updated` before that of the frame ahead of it.', arguments: { conid: 'only this one', ms: 'how far back (5000)' } },
  'clock-skew': { kind: 'switch', does: 'The gateway\'s clock is wrong: `_updated`, heartbeats and lastAccessed.', arguments: { ms: 'ahead, or behind when negative (60000)' } },
  'slow-rest': { kind: 'switch', does: 'Every REST answer is late.', arguments: { ms: 'how late (3000)', path: 'only paths that contain this' } },
  'too-many-requests': { kind: 'switch', does: '429 on every call.', arguments: {} },
  'history-error': { kind: 'switch', does: 'History answers 500.', arguments: { conid: 'only this one', error: 'what it says (No data.)' } },
  'history-blank': { kind: 'switch', does: 'History answers 200 without a body, as in a maintenance window.', arguments: { conid: 'only this one' } }
} as const satisfies Record<string, FaultKind>

/** The name of a fault that there is. */
export type FaultName = keyof typeof faultKinds

const scheduleArguments: Record<string, string> = { after: 'first wait this long', every: 'repeat this often', for: 'clear the switch after this long' }

/**
 * The faults that are on. Emits `fault` with its arguments when one happens or is switched on, without when it is switched off.
 * All faults take `after`, `every` and `for`, so one line can describe an outage that comes back.
 */
export class Faults extends EventEmitter<{ fault: [name: FaultName, args: FaultArguments | undefined] }> {
  readonly #on = new Map<FaultName, FaultArguments>()
  readonly #timers = new Map<FaultName, Set<NodeJS.Timeout>>()

  constructor () {
    super()
    this.setMaxListeners(0) // one for each socket
  }

  /** Throws when the name or an argument is unknown: a fault that silently does nothing would prove nothing. */
  set (name: string, given: FaultArguments = {}): void {
    const args = checkFault(name, given)
    const fault = name as FaultName
    const { after = 0, every, for: lastsMs } = args
    const happen = () => {
      if (faultKinds[fault].kind === 'switch') this.#on.set(fault, args)
      this.emit('fault', fault, args)
      if (lastsMs !== undefined) this.#later(fault, Number(lastsMs), () => this.lift(fault))
    }
    const begin = () => {
      happen()
      if (every !== undefined) this.#keep(fault, setInterval(happen, Number(every)))
    }
    if (Number(after) > 0) this.#later(fault, Number(after), begin)
    else if (every !== undefined && faultKinds[fault].kind === 'event') this.#keep(fault, setInterval(happen, Number(every)))
    else begin()
  }

  /** Switches a fault off and stops its repetition; without a name, all. */
  clear (name?: string): void {
    if (name === undefined) {
      for (const fault of new Set([...this.#on.keys(), ...this.#timers.keys()])) this.clear(fault)
      return
    }
    checkFault(name, {})
    const fault = name as FaultName
    for (const timer of this.#timers.get(fault) ?? []) clearTimeout(timer)
    this.#timers.delete(fault)
    this.lift(fault)
  }

  /** Switches a fault off as the client's own doing would; its repetition goes on. */
  lift (fault: FaultName): void {
    if (this.#on.delete(fault)) this.emit('fault', fault, undefined)
  }

  /** The arguments of a switch that is on and concerns this instrument. */
  active (name: FaultName, conid?: number): FaultArguments | undefined {
    const args = this.#on.get(name)
    return args === undefined || !concerns(args, conid) ? undefined : args
  }

  list (): readonly { readonly name: FaultName, readonly args: FaultArguments }[] {
    return [...this.#on].map(([name, args]) => ({ name, args }))
  }

  #later (fault: FaultName, waitMs: number, act: () => void): void {
    this.#keep(fault, setTimeout(act, waitMs))
  }

  #keep (fault: FaultName, timer: NodeJS.Timeout): void {
    const timers = this.#timers.get(fault) ?? new Set()
    this.#timers.set(fault, timers.add(timer))
  }
}

/** Whether a fault that may name one instrument is about this one. */
export function concerns (args: FaultArguments, conid: number | undefined): boolean {
  return args['conid'] === undefined || conid === undefined || Number(args['conid']) === conid
}

function checkFault (name: string, given: FaultArguments): FaultArguments {
  const fault = (faultKinds as Record<string, FaultKind>)[name]
  if (fault === undefined) throw new Error(`fault "${name}" is unknown; there are: ${Object.keys(faultKinds).join(', ')}`)
  const allowed = { ...fault.arguments, ...scheduleArguments }
  for (const key of Object.keys(given)) {
    if (!(key in allowed)) throw new Error(`fault ${name}: argument "${key}" is unknown; it takes ${Object.keys(allowed).join(', ')}`)
  }
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, typeof value === 'string' ? toNumber(value) : value]))
}

/** Reads `name`, or `name=key:value,key:value`, where a value may carry a unit: 500ms, 30s, 10m, 1h. */
export function parseFault (text: string): { name: string, args: FaultArguments } {
  const [name, list = ''] = text.split(/=(.*)/s)
  const pairs = (list === '' ? [] : list.split(',')).map(pair => {
    const [key, value] = pair.split(/:(.*)/s)
    if (!key || !value) throw new Error(`fault ${text}: "${pair}" is not key:value, as in --fault drop-tcp=every:30s`)
    return [key, value] as const
  })
  const args = Object.fromEntries(pairs)
  return { name: name!, args: checkFault(name!, args) }
}

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

function toNumber (text: string): string | number {
  const match = /^(-?\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text)
  return match === null ? text : Number(match[1]) * (units[match[2] ?? 'ms'] ?? 1)
}

/** The faults as a Markdown table; a test checks that the README holds exactly this. */
export function faultTable (): string {
  const rows = Object.entries(faultKinds).map(([name, { kind, does, arguments: args }]) => {
    const list = Object.entries(args).map(([key, meaning]) => `\`${key}\`: ${meaning}`)
    return `| \`${name}\` | ${kind} | ${does} | ${list.join('; ')} |`
  })
  const schedule = Object.entries(scheduleArguments).map(([key, meaning]) => `\`${key}\`: ${meaning}`)
  return ['| fault | kind | what it does | arguments |', '| --- | --- | --- | --- |', ...rows, `| any of them | | | ${schedule.join('; ')} |`].join('\n')
}
