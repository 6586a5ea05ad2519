import t from 'tap'
import { join } from 'node:path'
import { main } from '../runtime/cli/main.ts'
import { capture } from './runtime/cli/capture.ts'

const root = join(import.meta.dirname, '..')

await t.test('nothing is wrong with the files of the project, without any variable set', async t => {
  const { terminal, lines } = capture(root)
  t.equal(await main(['lint'], terminal), 0, lines.join('\n'))
})

await t.test('the tests of the pipelines pass', async t => {
  const { terminal, lines } = capture(root)
  t.equal(await main(['test'], terminal), 0, lines.join('\n'))
})
