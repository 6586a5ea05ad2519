// What a redelivery did, and what it left.

/** Reasons and causes that are told one by one. */
const GROUPS_MAX = 200

/** Refused rows of one kind. */
export interface RefusalGroup {
  readonly step: string
  /** With the values as `…`. */
  readonly reason: string
  readonly rows: number
  /** One of them: the record of the rejected topic, and the row's place in its own topic. */
  readonly first: { readonly at: number, readonly partition: number, readonly offset: number }
}

export interface Report {
  /** Refused rows that were looked at. */
  readonly rows: number
  /** Rows that an output holds now and did not hold before; of a dry run: that it would take. */
  readonly delivered: number
  /** Rows that it held already. */
  readonly present: number
  /** Rows that a transform takes out now. */
  readonly filtered: number
  /** Rows that had never reached the topic, and are new rows of it now. */
  readonly appended: number
  /** Rows that are refused again: they stay in the rejected topic as they are. */
  readonly refused: readonly RefusalGroup[]
  /** Rows that cannot be delivered, by why. */
  readonly kept: ReadonlyArray<{ readonly why: string, readonly rows: number }>
  /** Where to go on, in the rejected topic; null: all was looked at. */
  readonly next: number | null
}

export type Count = 'rows' | 'delivered' | 'present' | 'filtered' | 'appended'

/** A report as it grows. */
export class Tally {
  readonly #counts: Record<Count, number> = { rows: 0, delivered: 0, present: 0, filtered: 0, appended: 0 }
  readonly #refused = new Groups()
  readonly #kept = new Map<string, number>()

  count (what: Count, by: number): void {
    this.#counts[what] += by
  }

  refuse (step: string, reason: string, first: RefusalGroup['first']): void {
    this.#refused.add(step, reason, first)
  }

  keep (why: string, rows = 1): void {
    const key = this.#kept.has(why) || this.#kept.size < GROUPS_MAX ? why : 'other causes'
    this.#kept.set(key, (this.#kept.get(key) ?? 0) + rows)
  }

  report (next: number | null): Report {
    return { ...this.#counts, refused: this.#refused.list(), kept: [...this.#kept].map(([why, rows]) => ({ why, rows })), next }
  }
}

/** Refusals by step and reason, the largest groups first; the number of groups is bounded. */
export class Groups {
  readonly #groups = new Map<string, { step: string, reason: string, rows: number, first: RefusalGroup['first'] }>()

  add (step: string, reason: string, first: RefusalGroup['first']): void {
    let shown = withoutValues(reason)
    let key = `${step} ${shown}`
    if (!this.#groups.has(key) && this.#groups.size >= GROUPS_MAX) {
      shown = 'other reasons'
      key = `${step} ${shown}`
    }
    const group = this.#groups.get(key)
    if (group === undefined) this.#groups.set(key, { step, reason: shown, rows: 1, first })
    else group.rows++
  }

  list (): RefusalGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.rows - a.rows)
  }
}

/** A reason names the value that was refused: rows of the same fault have different ones. */
function withoutValues (reason: string): string {
  return reason.replaceAll(/"(?:[^"\\]|\\.)*"?/g, '"…"').replaceAll(/(?<=: )-?\d[\d.eE+-]*(?= )/g, '…')
}
