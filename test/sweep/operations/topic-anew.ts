import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { APPEND_ROWS, appendTo, checkRows, openBroker, topic } from './rows.ts'
import type { Operation } from '../operation.ts'

/** Of the two topics that were there before, each of which was taken away. */
const EPOCH_ROWS = 2 ** 40
const nobody = { ack: () => {}, failed: (error: unknown) => { throw error } }

/** A topic is made where its file was taken away twice: its offsets have to begin behind all that were ever used. */
export const anew: Operation = {
  async prepare (folder) {
    for (let time = 0; time < 2; time++) {
      const broker = openBroker(folder)
      await appendTo(broker, APPEND_ROWS, nobody)
      await broker.close()
      rmSync(join(folder, 'topics/rows.db'))
    }
  },
  async open (folder) {
    const broker = openBroker(folder)
    return { run: say => appendTo(broker, APPEND_ROWS, say), close: () => broker.close() }
  },
  async check (folder, acknowledged) {
    const broker = openBroker(folder)
    try {
      const found = await checkRows(broker, acknowledged)
      const reader = await broker.reader(topic)
      const starts = await Promise.all([0, 1].map(async partition => (await reader.bounds(partition)).first))
      // An offset that was used before is a row twice, for whoever knows rows by their offset.
      return { ...found, doubled: found.doubled + starts.filter(first => first < 2 * EPOCH_ROWS).length }
    } finally {
      await broker.close()
    }
  }
}
