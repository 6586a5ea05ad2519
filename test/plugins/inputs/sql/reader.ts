import sql from '../../../../plugins/inputs/sql/index.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../../conform/context.ts'
import type { Json, Row, Run } from '../../../../runtime/plugin.ts'
import type { FakeContext } from '../../../conform/context.ts'

export interface ReadOptions {
  readonly checkpoint?: Json | undefined
  readonly run?: Run
  /** Chunks that become durable; then the reading is given up. */
  readonly chunks?: number
  /** Called when so many chunks are durable. */
  readonly after?: (chunks: number) => Promise<void>
}

export interface Read {
  readonly rows: Row[]
  readonly checkpoint: Json | undefined
  readonly context: FakeContext
  readonly error: unknown
}

export const run = (id: string, from = 0, to = 1, kind: Run['kind'] = 'scheduled'): Run => ({ id, from, to, kind })

/** One reading, as a runtime does it: the checkpoint is that of the last chunk that was durable. */
export async function readSql (given: Readonly<Record<string, Json>>, { checkpoint, chunks = Infinity, run: one = run('run'), after = async () => {} }: ReadOptions = {}): Promise<Read> {
  // A run is made when its interval is over.
  const context = fakeContext({ topic: fakeTopic('rows', ['n']), run: one, now: Math.max(one.to, Date.UTC(2024, 0, 2, 14, 30)), checkpoint: checkpoint === undefined ? undefined : JSON.parse(JSON.stringify(checkpoint)) as Json })
  const rows: Row[] = []
  let error: unknown
  let saved = checkpoint
  let count = 0
  try {
    for await (const chunk of sql.read(configure(sql, given), context)) {
      // As stored: a value has to survive JSON.
      rows.push(...JSON.parse(JSON.stringify([...chunk.batch.rows()])) as Row[])
      if (chunk.checkpoint !== undefined) saved = chunk.checkpoint
      await after(++count)
      if (count === chunks) break
    }
  } catch (thrown) {
    error = thrown
  }
  return { rows, checkpoint: saved, context, error }
}
