import { APPEND_ROWS, appendTo, checkRows, openBroker } from './rows.ts'
import type { Operation } from '../operation.ts'

const before = 2 * APPEND_ROWS
const nobody = { ack: () => {}, failed: (error: unknown) => { throw error } }

/** Three appends to a topic, and the end of the process, at which SQLite takes the write-ahead log into the file. */
export const append: Operation = {
  async prepare (folder) {
    const broker = openBroker(folder)
    await appendTo(broker, before, nobody)
    await broker.close()
  },
  async open (folder) {
    const broker = openBroker(folder)
    return { run: say => appendTo(broker, before + 3 * APPEND_ROWS, say), close: () => broker.close() }
  },
  async check (folder, acknowledged) {
    const broker = openBroker(folder)
    try {
      return await checkRows(broker, Math.max(before, acknowledged))
    } finally {
      await broker.close()
    }
  }
}

/** Appends to a new topic, for the audit of their calls. */
export function appends (count: number): Operation {
  return {
    prepare: async () => {},
    async open (folder) {
      const broker = openBroker(folder)
      return { run: say => appendTo(broker, count * APPEND_ROWS, say), close: () => broker.close() }
    },
    check: async (folder, acknowledged) => {
      const broker = openBroker(folder)
      return checkRows(broker, acknowledged).finally(() => broker.close())
    }
  }
}
