import mappingPlugin from '../../../plugins/transforms/mapping/index.ts'
import type { Batch, Context, Row, Topic } from '../../../runtime/plugin.ts'

/** What the topic mapping makes of a batch, and why it refuses rows. */
export async function mapping (topic: Topic, batch: Batch): Promise<{ readonly cast: readonly Row[], readonly rejected: readonly string[] }> {
  const rejected: string[] = []
  const quiet = (): void => {}
  const context = { topic, root: import.meta.dirname, metrics: { count: quiet, gauge: quiet, observe: quiet }, reject: (row: unknown, reason: string) => rejected.push(`${String(row)}: ${reason}`), topicNamed: () => topic }
  const mapped = (await mappingPlugin.open({ schema: null }, context as unknown as Context)).map(batch)
  return { cast: [...mapped.rows()], rejected }
}
