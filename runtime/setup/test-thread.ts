// Runs the tests of pipelines in a thread of their own: plugins are loaded as their code is now, and one that hangs ends
// with its thread.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, PlatformError } from '../errors.ts'
import { runPipelineTests } from '../pipeline-test.ts'
import { readPipelineTests } from '../pipeline-test-file.ts'
import { readSchemaFolder } from '../schema-file.ts'

const TESTS_MS_MAX = 60_000

export interface TestFault {
  /** Such as `pipelines/quotes.test.yaml`. */
  readonly file: string
  /** Empty: the file itself is wrong. */
  readonly test: string
  /** A line each. */
  readonly faults: readonly string[]
}

export interface TestRun {
  readonly passed: number
  readonly failed: readonly TestFault[]
}

interface Task {
  readonly tests: { readonly root: string, readonly ids: readonly string[] }
}

/** The tests of those pipelines of a project; a pipeline without a file of tests has none. Never throws for a test. */
export async function testPipelines (root: string, ids: readonly string[], msMax = TESTS_MS_MAX): Promise<TestRun> {
  const tested = ids.filter(id => existsSync(join(root, fileOf(id))))
  if (tested.length === 0) return { passed: 0, failed: [] }
  const thread = new Worker(new URL(import.meta.url), { workerData: { tests: { root, ids: tested } } satisfies Task, name: 'test pipelines' })
  const { promise, resolve, reject } = Promise.withResolvers<TestRun>()
  const broken = (why: string): void => resolve({ passed: 0, failed: tested.map(id => ({ file: fileOf(id), test: '', faults: [why] })) })
  const late = setTimeout(() => broken(`the tests take more than ${msMax / 1000} s`), msMax)
  thread.once('message', resolve)
  thread.once('error', error => broken(`the tests cannot be run: ${describe(error)}`))
  thread.once('messageerror', reject)
  thread.once('exit', code => broken(`the tests end their thread with code ${code}`))
  try {
    return await promise
  } finally {
    clearTimeout(late)
    await thread.terminate()
  }
}

async function run ({ root, ids }: Task['tests']): Promise<TestRun> {
  const { schemas } = await readSchemaFolder(join(root, 'schemas'))
  const failed: TestFault[] = []
  let passed = 0
  for (const id of ids) {
    const file = fileOf(id)
    try {
      for (const { name, faults } of await runPipelineTests(await readPipelineTests(root, file), { root, schemas })) {
        if (faults.length === 0) passed++
        else failed.push({ file, test: name, faults })
      }
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error
      failed.push({ file, test: '', faults: error.toString().split('\n') })
    }
  }
  return { passed, failed }
}

function fileOf (id: string): string {
  return `pipelines/${id}.test.yaml`
}

const task = isMainThread ? undefined : workerData as Partial<Task> | undefined
if (parentPort !== null && task?.tests !== undefined) parentPort.postMessage(await run(task.tests))
