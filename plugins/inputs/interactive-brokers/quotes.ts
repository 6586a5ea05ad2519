import { delayedBy, names, statusField } from './fields.ts'
import { isField } from './frames.ts'
import type { Row } from '../../../runtime/plugin.ts'
import type { Instrument } from './progress.ts'

/** What one frame made. */
export interface Merged {
  readonly row: Row
  /** The frame carried a market data field with another value than the last one known. */
  readonly differs: boolean
  readonly status: unknown
}

interface State {
  values: Record<string, unknown>
  count: number
  fresh: boolean
}

// A gateway that went mad must not fill the memory.
const fieldsMax = 500

/**
 * Frames to rows. The gateway sends what changed; a row holds every field as it stands after the frame, and `changed`
 * lists those that this frame carried. So each row can be used alone, and the frame can be told from it. Values stay
 * exactly as they were sent.
 */
export class Quotes {
  readonly #states = new Map<number, State>()

  /** What was known is no longer: the next frame of the instrument is a full one. */
  restart (conid: number): void {
    const state = this.#states.get(conid)
    if (state !== undefined) state.fresh = true
  }

  restartAll (): void {
    for (const state of this.#states.values()) state.fresh = true
  }

  merge (instrument: Instrument, frame: Readonly<Record<string, unknown>>, receivedTime: number): Merged {
    const known = this.#states.get(instrument.conid)
    const before = known?.values ?? {}
    const snapshot = known?.fresh ?? true
    // Values of before an interruption may be gone by now: after it the instrument begins anew.
    const state: State = snapshot ? { values: Object.create(null) as Record<string, unknown>, count: 0, fresh: false } : known as State
    if (snapshot) this.#states.set(instrument.conid, state)
    const row: Record<string, unknown> = Object.create(null)
    const changed: string[] = []
    let differs = false
    for (const name in frame) {
      const value = frame[name]
      if (!isField(name)) {
        row[name] = value
        continue
      }
      changed.push(names[name] ?? name)
      if (before[name] !== value) differs = true
      if (!(name in state.values) && ++state.count > fieldsMax) row[name] = value
      else state.values[name] = value
    }
    for (const name in state.values) row[name] = state.values[name]
    const status = state.values[statusField]
    row['conid'] = instrument.conid
    row['symbol'] = instrument.symbol
    row['received_time'] = receivedTime
    row['changed'] = changed
    row['snapshot'] = snapshot
    const delayed = delayedBy(status)
    if (delayed !== undefined) row['delayed'] = delayed
    return { row, differs, status }
  }
}
