// Loaded before each test file (see .taprc).

import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// What Node compiles, and strips of types, is kept between test files: without that it is a third of all the time of
// those that start threads and platforms. Threads and child processes go by the variable.
const folder = join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled')
enableCompileCache(folder)
process.env['NODE_COMPILE_CACHE'] ??= folder

// A test that asks for its folder before it calls `teardown` would lose the folder while engines and platforms still
// write into it: the runner ends first what was begun last. With a teardown from the start the folder always goes last.
const { default: t } = await import('tap')
const first = (): void => {}
t.teardown(first)
t.beforeEach(t => { t.teardown(first) })
