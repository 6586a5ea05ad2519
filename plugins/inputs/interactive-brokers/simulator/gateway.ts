import { Faults } from './faults.ts'
import type { Phase, Rights } from './fields.ts'
import { listInstruments, type Instrument } from './instruments.ts'
import { Ledger } from './ledger.ts'
import { Lines } from './lines.ts'
import { readRecordings } from './recording.ts'
import type { Quote } from './replay.ts'
import { Session } from './session.ts'
import type { Settings } from './settings.ts'

/** Counters, and what is open now. */
export interface Stats {
  requests: Record<string, number> // by "METHOD path" below /v1/api
  refused: Record<string, number> // the same, by HTTP status from 400 up
  socketsOpened: number
  frames: number // all that was sent on sockets, not only data
  ignoredSubscriptions: number // before the session was confirmed, unknown conid, or beyond the lines
  unknownTopics: number
}

/** The state that REST and WebSocket share: one gateway, one login. */
export class Gateway {
  readonly settings: Settings
  readonly faults = new Faults()
  readonly session: Session
  readonly lines: Lines
  readonly ledger: Ledger
  readonly instruments: ReadonlyMap<number, Instrument>
  readonly preflightsAtMs = new Map<number, number>() // by conid, when its first snapshot was asked for; gone with its line
  historiesRunning = 0
  #serverId = 20_000
  readonly stats: Stats = { requests: {}, refused: {}, socketsOpened: 0, frames: 0, ignoredSubscriptions: 0, unknownTopics: 0 }

  constructor (settings: Settings) {
    this.settings = settings
    this.session = new Session(settings, this.faults)
    this.lines = new Lines(settings.lines)
    this.ledger = new Ledger(settings.ledgerFramesMax)
    // On the minute, so that a one-minute history bar at speed 1 is exactly one recorded bar.
    const anchorMs = settings.anchorMs ?? Math.floor(Date.now() / 60_000) * 60_000
    this.instruments = listInstruments(readRecordings(settings.prices), settings.instruments, { anchorMs, speed: settings.speed, seed: settings.seed })
  }

  /** Names an answer of history, so that a client can end it. */
  nextServerId (): string {
    return String(++this.#serverId)
  }

  rights (conid: number): Rights {
    const faults = ['not-subscribed', 'no-agreement', 'delayed', 'frozen'] as const
    return faults.find(name => this.faults.active(name, conid) !== undefined) ?? 'realtime'
  }

  phase (conid: number): Phase {
    return (['closed', 'halted'] as const).find(name => this.faults.active(name, conid) !== undefined) ?? 'open'
  }

  /** The market as this login may see it now. */
  quote (instrument: Instrument): Quote {
    const delayMs = this.rights(instrument.conid) === 'delayed' ? 15 * 60_000 : 0
    return instrument.replay.quoteAt(Date.now() - delayMs)
  }
}
