// Loaded before each test file (see .taprc), in its main thread only.

import { enableCompileCache, syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import threads from 'node:worker_threads'
import type { WorkerOptions } from 'node:worker_threads'

// What Node compiles, and strips of types, is kept between test files: without that it is a third of all the time of
// those that start threads and platforms. Threads and child processes go by the variable.
const folder = join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled')
enableCompileCache(folder)
process.env['NODE_COMPILE_CACHE'] ??= folder

// The runner hooks into every import, for coverage that is not measured here. Child processes and threads start without
// it, as they do outside of tests: in half the time.
delete process.env['NODE_OPTIONS']
threads.Worker = class extends threads.Worker {
  constructor (file: string | URL, options?: WorkerOptions) {
    super(file, { execArgv: [], ...options })
  }
}
syncBuiltinESMExports()

// A test that asks for its folder before it calls `teardown` would lose the folder while engines and platforms still
// write into it: the runner ends first what was begun last. With a teardown from the start the folder always goes last.
const { default: t } = await import('tap')
const first = (): void => {}
t.teardown(first)
t.beforeEach(t => { t.teardown(first) })
