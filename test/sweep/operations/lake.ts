import { batchOf, dayMs, fill, noon, numbered, offsetsIn, openFolder, openSink } from '../../runtime/lake/rows.ts'
import type { Operation, Say } from '../operation.ts'

const BEFORE = 100
const FLUSH = 50
const TO = BEFORE + FLUSH

/**
 * A flush of the half of its rows that came a day before, and the half that came the day after: two files, one commit.
 * Each life begins anew, as after a commit of the offset that was lost: what has landed is acknowledged again.
 */
async function flush (folder: string, say: Say): Promise<void> {
  let from = BEFORE
  for (;;) {
    try {
      const sink = await openSink(folder)
      try {
        for (; from < TO; from += FLUSH) {
          const middle = from + FLUSH / 2
          await sink.write(batchOf(numbered(from, middle), from, { time: noon }))
          await sink.write(batchOf(numbered(middle, from + FLUSH), middle, { time: noon + dayMs }))
          await sink.flush({ partition: 0, from, to: from + FLUSH })
          say.ack(from + FLUSH)
        }
      } finally {
        await sink.close()
      }
      return
    } catch (error) {
      say.failed(error)
    }
  }
}

/** A flush of the output lake: two Parquet files, and a commit of the manifest. */
export const commit: Operation = {
  prepare: folder => fill(folder, [0, BEFORE]),
  async open (folder) {
    return { run: say => flush(folder, say), close: async () => {} }
  },
  async check (folder, acknowledged) {
    const found = await offsetsIn(await openFolder(folder))
    const different = new Set(found)
    const wanted = Array.from({ length: Math.max(BEFORE, acknowledged) }, (_, n) => `0:${n}`)
    return { lost: wanted.filter(offset => !different.has(offset)).length, doubled: found.length - different.size, half: different.size % FLUSH }
  }
}
