// Runs of an input of files, as the runtime makes them: a checkpoint counts when its rows do.

import { Batch } from '../../../runtime/batch.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext } from '../../conform/context.ts'
import type { InputPlugin, Json, Options, Row, Run, Services } from '../../../runtime/plugin.ts'
import type { FakeContext } from '../../conform/context.ts'

/** What a topic holds, over several runs. */
export interface Durable {
  rows: Row[]
  checkpoint: Json | undefined
  /** The largest checkpoint so far, in characters of JSON. */
  checkpointMax: number
  /** What other producers of the topic have saved, by their name. */
  readonly producers: Map<string, Json>
  rejected: FakeContext['rejected']
  /** Appends that had a checkpoint. */
  appends: number
}

export function nothing (): Durable {
  return { rows: [], checkpoint: undefined, checkpointMax: 0, producers: new Map(), rejected: [], appends: 0 }
}

export const run: Run = { id: 'run-1', from: 0, to: 1, kind: 'scheduled' }

export interface RunOptions {
  /** The run dies behind so many chunks; the last one is lost with it. */
  readonly chunks?: number
  /** null: a pipeline that is no job. */
  readonly run?: Run | null
  /** Called behind each chunk. */
  readonly onChunk?: (durable: Durable) => Promise<void> | void
}

/** One run. Resolves to its context; a failure of the input rejects, with what was durable before kept. */
export async function runOnce<O extends Options> (plugin: InputPlugin<O>, given: Record<string, Json>, durable: Durable, { chunks = Infinity, run: ofRun = run, onChunk }: RunOptions = {}): Promise<FakeContext> {
  const checkpoint = durable.checkpoint === undefined ? undefined : JSON.parse(JSON.stringify(durable.checkpoint)) as Json
  const context = fakeContext({ checkpoint, step: 'input', services: producersOf(durable), ...(ofRun !== null && { run: ofRun }) })
  let settled = 0
  const settle = (): void => {
    durable.rejected.push(...context.rejected.slice(settled))
    settled = context.rejected.length
  }
  const reading = plugin.read(configure(plugin, given), context)
  for (let count = 1; ; count++) {
    const { done, value } = await reading.next()
    if (done === true) break
    if (count > chunks) {
      await reading.return()
      return context
    }
    settle()
    if (!(value.batch instanceof Batch)) throw new Error('no batch')
    durable.rows.push(...value.batch.rows())
    if (value.checkpoint !== undefined) {
      durable.checkpoint = value.checkpoint
      durable.appends++
      durable.checkpointMax = Math.max(durable.checkpointMax, JSON.stringify(value.checkpoint).length)
    }
    await onChunk?.(durable)
  }
  settle()
  return context
}

function producersOf ({ producers }: Durable): Services {
  return {
    producer: (_topic, name) => Promise.resolve({
      checkpoint: producers.get(name),
      append (_batches, options) {
        if (options?.checkpoint !== undefined) producers.set(name, JSON.parse(JSON.stringify(options.checkpoint)) as Json)
        return Promise.resolve()
      },
      close: () => Promise.resolve()
    })
  }
}

/** Numbers of the rows, in their order. */
export function numbersIn ({ rows }: Durable): number[] {
  return rows.map(row => Number(row['n']))
}

export function upTo (count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}
