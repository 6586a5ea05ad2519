// Rows out of any feed that sends JSON over a WebSocket. A feed cannot be asked again and cannot be slowed down: what it
// sends while nobody is connected is lost, and what the topic does not take in time is dropped and counted.

import { Collector, defineInput } from '../../../runtime/plugin.ts'
import { connect } from './connection.ts'
import { Intake } from './intake.ts'
import { options } from './options.ts'

export default defineInput({
  description: 'Rows of any feed that sends JSON over a WebSocket',
  options,

  async * read (config, context) {
    const { signal, topic } = context
    const collector = new Collector(topic, { rows: config.batch_rows, ms: config.batch_ms, pending: config.pending_rows_max })
    const intake = new Intake(config, collector, context)
    context.health({ ok: true, state: 'connecting' })
    const connection = connect(config, {
      opened: () => intake.begin(),
      received: message => intake.take(message),
      failed: error => collector.fail(error)
    })
    try {
      for await (const batch of collector.batches(signal)) {
        yield { batch }
        intake.settle()
      }
    } finally {
      await connection.close()
    }
  },

  async probe (config, { signal }) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const connection = connect({ ...config, login: [], subscribe: [] }, { opened: resolve, received () {}, failed: reject })
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
      await connection.close()
    }
  }
})
