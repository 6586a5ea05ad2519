// `twolane test`: runs pipelines/<id>.test.yaml, all of them or those of the given pipelines.

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PlatformError } from '../errors.ts'
import { runPipelineTests } from '../pipeline-test.ts'
import { readPipelineTests } from '../pipeline-test-file.ts'
import { suggest } from '../problems.ts'
import { filesOf, readSchemaFolder } from '../schema-file.ts'
import { UsageError } from './terminal.ts'
import type { Terminal } from './terminal.ts'

const suffix = '.test.yaml'

/** Resolves to 1 where a test fails or a file of tests cannot be read. */
export async function run (args: readonly string[], { root, print }: Terminal): Promise<number> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
  const ids = (await filesOf(join(root, 'pipelines'))).filter(file => file.endsWith(suffix)).map(file => file.slice(0, -suffix.length))
  for (const id of positionals) if (!ids.includes(id)) throw new UsageError(`There are no tests of a pipeline ${JSON.stringify(id)}${suggest(id, ids)}`)

  const { schemas } = await readSchemaFolder(join(root, 'schemas'))
  let passed = 0
  let failed = 0
  const fail = (title: string, faults: readonly string[]): void => {
    failed++
    print(`FAIL  ${title}`)
    for (const fault of faults) print(`        ${fault}`)
  }
  for (const id of positionals.length > 0 ? positionals : ids) {
    const file = `pipelines/${id}${suffix}`
    try {
      for (const { name, faults } of await runPipelineTests(await readPipelineTests(root, file), { root, schemas })) {
        if (faults.length > 0) fail(`${id}: ${name}`, faults)
        else {
          passed++
          print(`ok    ${id}: ${name}`)
        }
      }
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error
      fail(file, error.toString().split('\n'))
    }
  }
  print(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}
