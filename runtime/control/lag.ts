import { groupOf } from '../run.ts'
import type { TopicState } from '../broker/broker.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Platform } from '../platform.ts'

export interface Lag {
  readonly pipeline: string
  readonly step: string
  /** Rows in the topic that the output has not committed. */
  readonly rows: number
  /** How long the oldest of them waits. */
  readonly seconds: number
}

/** How far every output is behind its topic, as the broker knows it: also of one that cannot be opened, rests or died. */
export async function lags ({ broker, supervisor }: Pick<Platform, 'broker' | 'supervisor'>): Promise<Lag[]> {
  const running = new Map(supervisor.definitions().map(pipeline => [pipeline.id, pipeline]))
  const pipelines = [...new Map([...supervisor.files.pipelines, ...running]).values()]
  const topics = new Map<string, TopicState | undefined>()
  const found: Lag[] = []
  for (const pipeline of pipelines) {
    const { topic } = pipeline
    if (!topics.has(topic)) topics.set(topic, await broker.inspect(topic))
    found.push(...lagsOf(pipeline, topics.get(topic)))
  }
  return found
}

/** How far the outputs of a pipeline are behind what its topic holds. */
export function lagsOf ({ id, outputs }: Pick<Pipeline, 'id' | 'outputs'>, topic: TopicState | undefined): Lag[] {
  return outputs.map(({ name }) => ({ pipeline: id, step: name, ...lagOf(topic, groupOf(id, name)) }))
}

function lagOf (state: TopicState | undefined, group: string): Pick<Lag, 'rows' | 'seconds'> {
  let rows = 0
  let ms = 0
  for (const { partition, first, next, time } of state?.partitions ?? []) {
    const committed = state?.groups.find(one => one.group === group && one.partition === partition)
    // A group that has committed nothing begins with the oldest row.
    const behind = Math.max(0, next - Math.max(first, committed?.offset ?? first))
    rows += behind
    ms = Math.max(ms, committed?.lagMs ?? (behind === 0 ? 0 : Date.now() - time))
  }
  return { rows, seconds: ms / 1000 }
}
