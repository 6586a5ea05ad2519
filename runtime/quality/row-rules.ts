// The rules that look at one row at a time, checked by the mapping on the way: a row that breaks one with
// `action: reject` is refused, and every row that breaks one is counted.

import { cell } from '../batch.ts'
import type { Batch, Column, Columns } from '../batch.ts'
import type { Refusals } from '../cast/refusals.ts'
import type { Metrics } from '../plugin.ts'
import type { TimeUnit, Topic } from '../schema.ts'
import type { Calendars } from './calendars.ts'
import { demandOf, rowCheckOf } from './row-check.ts'
import type { RowCheck } from './row-check.ts'
import { isRowRule } from './rule.ts'
import type { RowRule } from './rule.ts'
import type { Sessions } from './windows.ts'

interface Checked {
  readonly rule: RowRule
  readonly check: RowCheck
  readonly calendar: Sessions | undefined
  readonly fault: string
  readonly counter: string
}

const unitsPerMs: Readonly<Record<TimeUnit, number>> = { s: 0.001, ms: 1, us: 1000, ns: 1_000_000 }

/** Holds nothing of a batch but room for the next one. */
export class RowRules {
  readonly #topic: Topic
  readonly #rules: readonly Checked[]
  readonly #metrics: Pick<Metrics, 'count'>
  #marks = new Uint8Array(0)

  /** The row rules of a topic; undefined: it has none. Throws CONFIG_INVALID for a calendar that cannot be read. */
  static async open (topic: Topic, calendars: Calendars, metrics: Pick<Metrics, 'count'>): Promise<RowRules | undefined> {
    const rules: Checked[] = []
    for (const rule of (topic.quality ?? []).filter(isRowRule)) {
      const kind = topic.fields.find(({ name }) => name === rule.field)?.type.kind
      const counter = `quality_failures_${rule.name}`
      // So that the series is there, at 0, before a row breaks the rule.
      metrics.count(counter, 0)
      rules.push({
        rule,
        check: rowCheckOf(rule, kind === 'string' || kind === 'enum'),
        calendar: rule.during === '' ? undefined : await calendars(rule.during),
        fault: `breaks the rule ${rule.name}: ${demandOf(rule)}`,
        counter
      })
    }
    return rules.length === 0 ? undefined : new RowRules(topic, rules, metrics)
  }

  private constructor (topic: Topic, rules: readonly Checked[], metrics: Pick<Metrics, 'count'>) {
    this.#topic = topic
    this.#rules = rules
    this.#metrics = metrics
  }

  /** Checks the typed columns of a batch. Rows that are refused already are passed over: their cells mean nothing. */
  check ({ length, position }: Batch, columns: Columns, refusals: Refusals): void {
    if (this.#marks.length < length) this.#marks = new Uint8Array(length)
    const marks = this.#marks
    const before = refusals.size === 0 ? undefined : Uint8Array.from({ length }, (_, i) => Number(refusals.has(i)))
    const time = columns[this.#topic.eventTime]
    for (const { rule, check, calendar, fault, counter } of this.#rules) {
      const marked = check.mark(columns, length, marks)
      if (marked === 0) continue
      const column = columns[rule.field] as Column
      const faults = rule.reject ? refusals.of(rule.field) : undefined
      let n = 0
      for (let i = 0; i < length; i++) {
        if (marks[i] === 0) continue
        marks[i] = 0
        if (before?.[i] === 1 || (calendar !== undefined && calendar.sessionAt(timeAt(time, i, position.time)) === undefined)) continue
        n++
        faults?.add(i, cell(column, i), fault)
      }
      if (n > 0) this.#metrics.count(counter, n)
    }
  }
}

/** When row `i` happened, ms since 1970. */
function timeAt (column: Column | undefined, i: number, otherwise: number): number {
  if (column?.kind !== 'numbers' || column.type?.kind !== 'timestamp') return otherwise
  return Number(column.numbers[i]) / unitsPerMs[column.type.unit]
}
