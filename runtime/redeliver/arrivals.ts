// Refused rows that never reached their topic: they become new rows of it, through the checks of the input, where every
// output that maps the topic takes them now.

import { cell, fromRows } from '../batch.ts'
import type { Batch } from '../batch.ts'
import { connect } from '../connector.ts'
import { loadInput, loadTransforms, loadOutput, openChain, topicNamed } from '../steps.ts'
import { EXTRA, NOT_PRESENT } from '../schema.ts'
import { isCut } from './refused.ts'
import type { Names } from '../connector.ts'
import type { OpenChain } from '../deliver.ts'
import type { InputPlugin } from '../plugin.ts'
import type { Surroundings } from '../steps.ts'
import type { RefusedRow } from './refused.ts'
import type { Tally } from './report.ts'

export class Arrivals {
  readonly #arounds: readonly Surroundings[]
  readonly #signal: AbortSignal
  readonly #connects = new Map<string, (batch: Batch) => Batch>()

  /** `arounds`: of all pipelines of the topic that run. */
  constructor (arounds: readonly Surroundings[], signal: AbortSignal) {
    this.#arounds = arounds
    this.#signal = signal
  }

  /** The rows that can be appended, as batches of the topic, and their refusals. What cannot be is told to `tally`. */
  async take (rows: readonly RefusedRow[], tally: Tally): Promise<{ readonly batches: readonly Batch[], readonly at: readonly number[] }> {
    const batches: Batch[] = []
    const at: number[] = []
    const chains = rows.length === 0 ? [] : await this.#chains()
    for (const refused of rows) {
      const batch = await this.#row(refused, tally)
      if (batch === undefined || !passes(batch, refused, chains, tally)) continue
      batches.push(batch)
      at.push(refused.at)
    }
    return { batches: merged(batches), at }
  }

  /** The row under the names of the topic. */
  async #row ({ row, pipeline }: RefusedRow, tally: Tally): Promise<Batch | undefined> {
    const around = this.#arounds.find(around => around.pipeline.id === pipeline)
    if (around === undefined) return keep(tally, `the pipeline ${pipeline} does not run on this topic any more`)
    if (isCut(row)) return keep(tally, 'the row was too large to be kept whole, and has never reached the topic')
    const topic = topicNamed(around.schemas, around.pipeline.topic)
    const batch = (await this.#connectOf(around))(fromRows(topic, [row]))
    const known = Object.entries(batch.columns).some(([name, column]) => name !== EXTRA && ![NOT_PRESENT, null].includes(cell(column, 0) as string | null))
    return known ? batch : keep(tally, 'what the source sent has no field of the topic')
  }

  async #connectOf (around: Surroundings): Promise<(batch: Batch) => Batch> {
    const { pipeline } = around
    let known = this.#connects.get(pipeline.id)
    if (known === undefined) {
      const input = await loadInput(around)
      const names: Names = (input?.plugin as InputPlugin | undefined)?.names ?? {}
      this.#connects.set(pipeline.id, known = connect(topicNamed(around.schemas, pipeline.topic), names, pipeline.input?.rename ?? {}))
    }
    return known
  }

  /** One for each pipeline that has an output behind transforms. */
  async #chains (): Promise<OpenChain[]> {
    const chains: OpenChain[] = []
    for (const around of this.#arounds) {
      const { outputs } = around.pipeline
      const plugins = await Promise.all(outputs.map(output => loadOutput(around, output)))
      if (plugins.some(({ raw }) => raw !== true)) chains.push(await openChain(around, await loadTransforms(around), { signal: this.#signal, output: '' }))
    }
    return chains
  }
}

function passes (batch: Batch, { at }: RefusedRow, chains: readonly OpenChain[], tally: Tally): boolean {
  let good = true
  for (const { chain, rejects } of chains) {
    chain.map(batch)
    for (const refused of rejects.take()) {
      for (const { step, reason } of refused.rows()) {
        if (good) tally.refuse(String(step), String(reason), { at, partition: -1, offset: -1 })
        good = false
      }
    }
  }
  return good
}

function keep (tally: Tally, why: string): undefined {
  tally.keep(why)
  return undefined
}

/** Few appends of many rows: a row each would be a write each. */
function merged (batches: readonly Batch[]): Batch[] {
  const [first] = batches
  if (first === undefined) return []
  const byNames = new Map<string, Batch[]>()
  for (const batch of batches) {
    const names = Object.keys(batch.columns).join('\0')
    byNames.set(names, [...byNames.get(names) ?? [], batch])
  }
  return [...byNames.values()].map(alike => fromRows(first.topic, alike.flatMap(batch => [...batch.rows()])))
}
