// Imported first by tests that start many threads. The test runner puts hooks into the process that every thread would
// load again, which takes longer than all the rest; so the test file is run once more without them, and what it prints is
// the result.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

if (process.execArgv.some(argument => argument.includes('@tapjs'))) {
  const child = spawn(process.execPath, ['--enable-source-maps', `--import=${new URL('../preload.ts', import.meta.url).href}`, process.argv[1] as string], { stdio: 'inherit', env: { ...process.env, NODE_OPTIONS: '' } })
  for (const signal of ['SIGALRM', 'SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal))
  const [code] = await once(child, 'exit') as [number | null]
  process.exit(code ?? 1)
}
