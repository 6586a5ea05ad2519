// A source that has an end: the numbers from 0 up to the one that stands in the file `ledger.txt` of the project. Its
// checkpoint is the next number. The file can also say how it behaves: `fail`, `hang` and `slow` follow the number.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const ledger = `
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineInput, fromRows } from '../../../runtime/plugin.ts'

export default defineInput({
  description: 'Numbers up to an end',
  bounded: true,
  options: {},
  async * read (_config, { checkpoint, root, signal, topic, run, log, reject }) {
    const [end, ...words] = readFileSync(join(root, 'ledger.txt'), 'utf8').trim().split(' ')
    log.info({ run, checkpoint }, 'Reading the ledger')
    let n = checkpoint ?? 0
    while (n < Number(end) && !signal.aborted) {
      const rows = []
      while (n < Number(end) && rows.length < 100) rows.push({ n: n++, symbol: 'AAPL' })
      if (words.includes('reject')) reject({ n: -1 }, 'It is no number of the ledger')
      yield { batch: fromRows(topic, rows), checkpoint: n }
      if (words.includes('fail') && n > Number(words.at(-1))) throw new Error('The ledger is torn')
      if (words.includes('slow')) await sleep(Number(words.at(-1)), undefined, { signal }).catch(() => {})
      if (words.includes('stuck')) await new Promise(() => {})
    }
    if (words.includes('hang')) await sleep(2 ** 30, undefined, { signal }).catch(() => {})
  }
})
`

export const schema = `
key: [symbol]
fields:
  n: { type: int64, required: true, description: Number of the row }
  symbol: { type: string, description: Instrument }
`

/** \`more\` stands below; the output is the file \`<topic>.ndjson\`, which is flushed once a minute unless a run ends. */
export function job (topic: string, schedule: string, more = ''): string {
  return `
input: ledger
topic: ${topic}
outputs:
  - file: { path: ${topic}.ndjson }
    flush: { rows: 1000000, ms: 60000 }
schedule: ${schedule}
${more}`
}

/** One that reads an interval where its option says so. */
export const dated = ledger.replace('options: {},', "shorthand: 'days',\n  options: { days: { type: 'boolean', description: 'Read the days of the run', default: true } },\n  interval: ({ days }) => days,")

export const files = { 'plugins/inputs/ledger/index.ts': ledger, 'schemas/one.yaml': schema, 'ledger.txt': '250' }

export function write (folder: string, text: string): void {
  writeFileSync(join(folder, 'ledger.txt'), text)
}
