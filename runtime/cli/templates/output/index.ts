// Appends rows to a file, a JSON object a line. Replace the file with your destination.

import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { storageError } from '../../../durable.ts'
import { defineOutput } from '../../../plugin.ts'

export default defineOutput({
  description: 'Appends rows to a file',
  options: {
    path: { type: 'string', description: 'The file, absolute or below the data folder.', examples: ['rows.ndjson'] }
  },
  shorthand: 'path',
  // A range that was in flight at a crash may be written twice. An output that can tell which offsets it holds adds
  // `landed` and says `exactly once`.
  guarantee: 'at least once',

  async open ({ path }, { dataFolder }) {
    const full = resolve(dataFolder, path)
    const file = await open(full, 'a').catch(error => { throw storageError(error, full) })
    let lines = ''
    return {
      async write (batch) {
        for (const row of batch.rows()) lines += `${JSON.stringify(row)}\n`
      },
      async flush () {
        try {
          await file.appendFile(lines)
          // Only what is on the disk counts: the runtime commits the rows after this.
          await file.datasync()
        } catch (error) {
          throw storageError(error, full)
        }
        lines = ''
      },
      close: () => file.close()
    }
  },

  async probe ({ path }, { dataFolder }) {
    const full = resolve(dataFolder, path)
    await open(full, 'a').then(file => file.close(), error => { throw storageError(error, full) })
  }
})
