import { APPEND_ROWS, appendTo, openBroker, topic } from './rows.ts'
import type { Assignment, Broker } from '../../../runtime/broker/broker.ts'
import type { Operation, Say } from '../operation.ts'

const PORTIONS = 3
const ROWS = 10
const nobody = { ack: () => {}, failed: (error: unknown) => { throw error } }

async function assigned (broker: Broker): Promise<Assignment> {
  const consumer = await broker.consumer(topic, 'sweep')
  const { value } = await consumer.assignments(new AbortController().signal).next()
  return value as Assignment
}

/** How many of the steps intent, commit, intent, … are done; NaN: what is there fits none of them. */
function stepsOf ({ committed: { offset, state, intent } }: Assignment): number {
  if (offset % ROWS !== 0 || (offset > 0 && state !== `at ${offset}`)) return NaN
  if (intent === undefined) return 2 * offset / ROWS
  return intent.from === offset && intent.to === offset + ROWS ? 2 * offset / ROWS + 1 : NaN
}

async function settle (broker: Broker, say: Say): Promise<void> {
  for (;;) {
    try {
      const assignment = await assigned(broker)
      for (let done = stepsOf(assignment); done < 2 * PORTIONS; done++) {
        const from = Math.floor(done / 2) * ROWS
        if (done % 2 === 0) await assignment.begin({ from, to: from + ROWS, rows: ROWS, hash: 'x', revision: 'r' })
        else await assignment.commit(from + ROWS, `at ${from + ROWS}`)
        say.ack(done + 1)
      }
      return
    } catch (error) {
      say.failed(error)
    }
  }
}

/** What the deliver loop makes durable around three inserts: an intent before each one, and a commit behind it. */
export const group: Operation = {
  async prepare (folder) {
    const broker = openBroker(folder)
    await appendTo(broker, 2 * APPEND_ROWS, nobody)
    await assigned(broker)
    await broker.close()
  },
  async open (folder) {
    const broker = openBroker(folder)
    return { run: say => settle(broker, say), close: () => broker.close() }
  },
  async check (folder, acknowledged) {
    const broker = openBroker(folder)
    try {
      const done = stepsOf(await assigned(broker))
      return { lost: Math.max(0, acknowledged - done) || 0, doubled: 0, half: Number.isNaN(done) ? 1 : 0 }
    } finally {
      await broker.close()
    }
  }
}
