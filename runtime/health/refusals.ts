// How many of a topic's rows were refused lately: a pipeline that runs and refuses everything brings nothing. Told by the
// offsets of the topic, its outputs and `<topic>.rejected`, so that it holds for all runtimes.

import { rejectedTopic } from '../schema.ts'
import type { TopicState } from '../broker/broker.ts'

const WINDOW_MS = 300_000
/** Where no rows come any more, what the last ones were stands so long. */
const KEPT_MS = 86_400_000
/** A share below it is told as rejected rows only. */
const SHARE_MIN = 0.01

export interface Refused {
  readonly topic: string
  /** Rows in the window. */
  readonly refused: number
  readonly rows: number
  /** Of the last one; empty: it is not known. */
  readonly reason: string
}

interface Sample { readonly at: number, readonly rows: number, readonly refused: number, readonly taken: number }

export class Refusals {
  readonly #samples = new Map<string, Sample[]>()

  /** Takes the newest offsets, and tells the topics of which more than a hundredth is refused. `at`: ms of a clock that is never set. */
  take (topics: ReadonlyMap<string, TopicState>, at: number): Array<Omit<Refused, 'reason'>> {
    for (const topic of this.#samples.keys()) if (!topics.has(topic)) this.#samples.delete(topic)
    const found: Array<Omit<Refused, 'reason'>> = []
    for (const [topic, { partitions, groups }] of topics) {
      const rejected = topics.get(rejectedTopic(topic).name)
      if (rejected === undefined) continue
      const { first, last } = this.#add(topic, { at, rows: endOf({ partitions }), refused: endOf(rejected), taken: groups.reduce((sum, { offset }) => sum + offset, 0) })
      const refused = last.refused - first.refused
      // Rows that came, or that the outputs took when they were behind.
      const rows = Math.max(last.rows - first.rows, (last.taken - first.taken) / Math.max(1, groups.length), refused)
      if (at - last.at < KEPT_MS && refused > 0 && refused >= SHARE_MIN * rows) found.push({ topic, refused, rows: Math.round(rows) })
    }
    return found
  }

  /** The first and the last sample of the window that ends with the newest movement. */
  #add (topic: string, sample: Sample): { readonly first: Sample, readonly last: Sample } {
    let samples = this.#samples.get(topic) ?? [sample]
    const last = samples.at(-1) ?? sample
    // Offsets of a topic that was made anew begin at 0.
    if (sample.rows < last.rows || sample.refused < last.refused || sample.taken < last.taken) samples = [sample]
    else if (sample.rows > last.rows || sample.refused > last.refused || sample.taken > last.taken) samples = [...samples, sample]
    while (samples.length > 2 && sample.at - (samples[1]?.at ?? 0) > WINDOW_MS) samples = samples.slice(1)
    this.#samples.set(topic, samples)
    return { first: samples[0] ?? sample, last: samples.at(-1) ?? sample }
  }
}

function endOf ({ partitions }: Pick<TopicState, 'partitions'>): number {
  return partitions.reduce((sum, { next }) => sum + next, 0)
}
