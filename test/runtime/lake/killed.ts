// A program that writes, or compacts, the lake of trades until it is killed.
//   node killed.ts write|compact <data folder>

import { lakeOptions } from '../../../runtime/lake/lakes.ts'
import { compactLake } from '../../../runtime/lake/compaction.ts'
import { openLakeTable } from '../../../runtime/lake/table.ts'
import { configure } from '../../conform/configure.ts'
import { batchOf, numbered, openFolder, openSink, trades } from './rows.ts'

const [what, dataFolder = ''] = process.argv.slice(2)
const ROWS = 500

if (what === 'write') await write()
else await compact()

/** As the runtime does: a range that was in flight is written again, exactly as it was. Each flush has a size that its first offset gives. */
async function write (): Promise<void> {
  const { files } = await openLakeTable(await openFolder(dataFolder), 'trades').read()
  const sink = await openSink(dataFolder)
  process.stdout.write('ready\n')
  for (let from = files.reduce((most, { to }) => Math.max(most, to), 0); ;) {
    const to = from + ROWS + from % 7
    await sink.write(batchOf(numbered(from, to), from))
    await sink.flush({ partition: 0, from, to })
    from = to
  }
}

async function compact (): Promise<void> {
  process.stdout.write('ready\n')
  const quiet = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }
  const lake = { pipeline: 'p', step: 'outputs.lake', topic: 'trades', config: configure({ options: lakeOptions }, {}) }
  for (;;) {
    // Targets that change, so that there is always something to merge.
    const targetRows = 2000 + Math.floor(Math.random() * 20_000)
    await compactLake(lake, { dataFolder, schemas: () => new Map([['trades', trades]]) }, { before: Date.now(), targetRows }, { signal: new AbortController().signal, log: quiet, progress: () => {} })
  }
}
