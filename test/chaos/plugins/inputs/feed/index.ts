// Rows of the run's own feed, from the checkpoint on.

import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { fromRows, defineInput } from '../../../../../runtime/plugin.ts'
import { obey } from '../../trouble.ts'
import type { Row } from '../../../../../runtime/plugin.ts'
import type { ReadableStream } from 'node:stream/web'

export default defineInput({
  description: 'Numbered rows of a test run',
  options: { url: { type: 'string', description: 'Where the rows are.' } },
  shorthand: 'url',

  async * read ({ url }, { topic, checkpoint, signal, root, health }) {
    const from = (checkpoint as number | undefined) ?? 0
    const answer = await fetch(`${url}?from=${from}`, { signal })
    health({ ok: true, state: 'streaming' })
    try {
      for await (const line of createInterface(Readable.fromWeb(answer.body as ReadableStream, { signal }))) {
        obey(root, 'input')
        const rows = JSON.parse(line) as Row[]
        yield { batch: fromRows(topic, rows), checkpoint: Number(rows.at(-1)?.['n']) + 1 }
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
})
