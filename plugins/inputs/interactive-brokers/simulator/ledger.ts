import type { FieldValue } from './fields.ts'

/** One smd data frame as it was handed to a socket. */
export interface SentFrame {
  readonly index: number // counts all data frames of this simulator
  readonly socket: number
  readonly topic: string
  readonly conid: number
  readonly updated: number // _updated
  readonly fields: Readonly<Record<string, FieldValue>>
  readonly duplicate: boolean
  written: boolean // the operating system took it; a frame that is not written when its socket was cut never left
}

/**
 * Everything the simulator sent, so that a test can show that nothing was lost: whatever is `written` on a socket
 * that was closed in order reached the client. Holds a bounded number of frames; what it had to drop it counts.
 */
export class Ledger {
  readonly #max: number
  #frames: SentFrame[] = []
  #next = 0
  #dropped = 0

  constructor (max: number) {
    this.#max = max
  }

  get frames (): readonly SentFrame[] { return this.#frames }
  get dropped (): number { return this.#dropped }
  get total (): number { return this.#next }

  add (frame: Omit<SentFrame, 'index' | 'written'>): SentFrame {
    const entry = { ...frame, index: this.#next++, written: false }
    this.#frames.push(entry)
    // In blocks: shifting one frame of a million at a time would cost more than sending it.
    if (this.#frames.length > this.#max * 1.1 + 1) this.#dropped += this.#frames.splice(0, this.#frames.length - this.#max).length
    return entry
  }

  clear (): void {
    this.#frames = []
  }
}
