// Loaded before each test file (see .taprc). What Node compiles, and strips of types, is kept between test files: without
// that it is a third of all the time of those that start threads and platforms.

import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled')
enableCompileCache(folder)
// Threads and child processes go by this.
process.env['NODE_COMPILE_CACHE'] ??= folder
