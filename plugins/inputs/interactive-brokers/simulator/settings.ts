import type { FaultArguments } from './faults.ts'
import { SHIPPED_PRICES } from './recording.ts'
import type { InstrumentOption } from './instruments.ts'

/** How a simulator is started; every option has a default that is faithful to the real gateway. */
export interface SimulatorOptions {
  readonly port?: number // 0: one that is free
  readonly host?: string
  readonly tls?: boolean // with a certificate made at the start, as the real gateway's is self-signed
  readonly speed?: number // how many times faster than recorded; above 1 it also shortens the 500 ms between frames
  readonly prices?: string | URL // CSV, plain or gzipped; see recording.ts
  readonly instruments?: readonly InstrumentOption[] // all symbols of the price file when left out
  readonly lines?: number // market data lines, shared by streams and snapshots
  readonly smdTtlMs?: number // after which a stream that is not renewed ends without notice
  readonly heartbeatMs?: number
  readonly sessionIdleMs?: number // without a REST call the brokerage session is lost
  readonly preflightMs?: number // after the first snapshot call of a conid, until one carries values
  readonly bridgeMs?: number // "no bridge" after ssodh/init
  readonly requestsPerSecond?: number // 0: no limit
  readonly penaltyMs?: number // 429 on everything after the limit was broken
  readonly historiesMax?: number // in parallel
  readonly historyMs?: number // how long the gateway takes to answer one
  readonly anchorMs?: number // when the first recorded bar is replayed; the start of this minute when left out. A fixed one makes history the same at every start
  readonly seed?: number // of what the recording lacks: sizes, spreads, jitter
  readonly ledgerFramesMax?: number // older frames are dropped from the ledger, and counted
  readonly faults?: readonly { readonly name: string, readonly args?: FaultArguments }[]
}
/** The options with their defaults. */
export type Settings = Required<Omit<SimulatorOptions, 'instruments' | 'anchorMs'>> & Pick<SimulatorOptions, 'instruments' | 'anchorMs'>

/** Throws for a speed at which time would stand still or run backwards. */
export function settle (options: SimulatorOptions): Settings {
  const defaults = {
    port: 0,
    host: '127.0.0.1',
    tls: false,
    speed: 1,
    prices: SHIPPED_PRICES,
    lines: 100,
    smdTtlMs: 600_000,
    heartbeatMs: 10_000,
    sessionIdleMs: 360_000,
    preflightMs: 500,
    bridgeMs: 300,
    requestsPerSecond: 10,
    penaltyMs: 900_000,
    historiesMax: 5,
    historyMs: 50,
    seed: 1,
    ledgerFramesMax: 1_000_000,
    faults: []
  }
  const settings = { ...defaults, ...options }
  if (!(settings.speed > 0)) throw new Error(`speed ${settings.speed}: it must be a number above 0`)
  return settings
}
