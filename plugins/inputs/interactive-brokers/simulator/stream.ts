import { pricesAllowed, readFields, type FieldValue } from './fields.ts'
import type { Gateway } from './gateway.ts'
import type { Instrument } from './instruments.ts'

/** One smd data frame, ready to be sent. */
export interface DataFrame {
  readonly topic: string
  readonly conid: number
  readonly conidEx: string
  readonly server_id: string
  readonly _updated: number
  readonly fields: Readonly<Record<string, FieldValue>>
}

export interface StreamOptions {
  readonly gateway: Gateway
  readonly instrument: Instrument
  readonly conidEx: string
  readonly server: string
  readonly send: (frame: DataFrame) => boolean // false when the socket cannot take more now
  readonly end: () => void // told when the stream ends by itself
}

const conflationMs = 500

/**
 * One smd subscription: a full frame, then frames of what changed, at most one each 500 ms, until it is not renewed.
 * What changed in between is not queued but merged, as in the real feed.
 */
export class Stream {
  readonly #options: StreamOptions
  readonly #conflationMs: number
  readonly #fields = new Set<string>()
  #sent: Record<string, FieldValue> = {}
  #sentAtMs = 0
  #frames = 0
  #next: NodeJS.Timeout | undefined
  #end: NodeJS.Timeout | undefined

  constructor (options: StreamOptions) {
    this.#options = options
    this.#conflationMs = conflationMs / Math.max(1, options.gateway.settings.speed)
  }

  get conidEx (): string { return this.#options.conidEx }

  /** Starts the stream, or adds fields to it; either way a full frame follows and its life begins anew. */
  renew (fields: readonly string[]): void {
    for (const field of fields) this.#fields.add(field)
    this.#sent = {}
    clearTimeout(this.#end)
    this.#end = setTimeout(() => this.#options.end(), this.#options.gateway.settings.smdTtlMs)
    this.#schedule(Math.max(Date.now(), this.#sentAtMs + this.#conflationMs))
  }

  /** The next frame is a full one: rights or the market's phase changed. */
  refresh (): void {
    this.#sent = {}
    this.#schedule(Math.max(Date.now(), this.#sentAtMs + this.#conflationMs))
  }

  close (): void {
    clearTimeout(this.#next)
    clearTimeout(this.#end)
  }

  #schedule (atMs: number): void {
    clearTimeout(this.#next)
    this.#next = setTimeout(() => this.#update(), Math.max(0, atMs - Date.now()))
  }

  #update (): void {
    const { gateway, instrument, conidEx, server, send } = this.#options
    const now = Date.now()
    const first = Object.keys(this.#sent).length === 0
    const rights = gateway.rights(instrument.conid)
    const phase = gateway.phase(instrument.conid)
    const values = readFields([...this.#fields, '6509'], { instrument, quote: gateway.quote(instrument), rights, phase, server, via: 'stream' })
    const changed = Object.fromEntries(Object.entries(values).filter(([id, value]) => this.#sent[id] !== value))
    if (Object.keys(changed).length > 0) {
      const _updated = this.#updatedAt(gateway.session.now(now))
      if (!send({ topic: `smd+${conidEx}`, conid: instrument.conid, conidEx, server_id: server, _updated, fields: changed })) return this.#schedule(now + this.#conflationMs)
      this.#sent = values
      this.#sentAtMs = now
      this.#frames++
    }
    // Without rights nothing follows; in a closed market neither. A change of either calls refresh().
    if (first && (!pricesAllowed(rights) || phase === 'closed')) return
    this.#schedule(Math.max(instrument.replay.nextTickAt(now), this.#sentAtMs + this.#conflationMs))
  }

  #updatedAt (nowMs: number): number {
    const backwards = this.#options.gateway.faults.active('out-of-order', this.#options.instrument.conid)
    return backwards !== undefined && this.#frames % 2 === 1 ? nowMs - Number(backwards['ms'] ?? 5000) : nowMs
  }
}
