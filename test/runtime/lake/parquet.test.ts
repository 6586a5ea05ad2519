import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { tableFromArrays, tableToIPC } from 'apache-arrow'
import { ParquetWriter } from '../../../runtime/lake/parquet.ts'

const group = { rowsMax: 65_536, bytesMax: 2 ** 24 }
const rows = tableToIPC(tableFromArrays({ n: Int32Array.from({ length: 5000 }, (_, i) => (i * 2_654_435_761) | 0) }), 'stream')

await t.test('a file of which the last bytes do not fit is not taken for finished', { skip: existsSync('/bin/sh') ? false : 'there is no /bin/sh here' }, async t => {
  const folder = t.testdir()
  const whole = new ParquetWriter(join(folder, 'whole'), group, {})
  await whole.write(rows)
  const { bytes } = await whole.finish()
  t.equal(readFileSync(join(folder, 'whole')).length, bytes)

  // A limit on the size of files, as a disk that is full: what is left is written, and only a write after that fails.
  const script = `
    import { readFileSync } from 'node:fs'
    import { ParquetWriter } from ${JSON.stringify(join(import.meta.dirname, '../../../runtime/lake/parquet.ts'))}
    process.on('SIGXFSZ', () => {})
    const writer = new ParquetWriter(process.argv[1], ${JSON.stringify(group)}, {})
    await writer.write(readFileSync(process.argv[2]))
    await writer.finish().then(() => console.log('finished'), error => console.log(error.code))`
  writeFileSync(join(folder, 'rows'), rows)
  // A shell counts in blocks of 512 bytes.
  const limit = Math.ceil(bytes / 1024) - 1
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', `ulimit -f ${limit * 2}; exec "$@"`, 'sh', process.execPath, '--input-type=module', '-e', script, join(folder, 'cut'), join(folder, 'rows')], { encoding: 'utf8' })
  t.equal(stdout.trim(), 'EFBIG', stderr)
  t.equal(readFileSync(join(folder, 'cut')).length, limit * 1024)
})
