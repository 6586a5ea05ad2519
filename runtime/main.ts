// `npm start`: opens the platform from the files of the current folder, serves the admin endpoint, and drains at Ctrl-C.

import { readConfig } from './config.ts'
import { makeApp } from './control/app.ts'
import { describe } from './errors.ts'
import { openPlatform } from './platform.ts'
import type { AddressInfo } from 'node:net'

const STOP_MS_MAX = 25_000

try {
  await main(process.cwd())
} catch (error) {
  process.stderr.write(`${describe(error)}\n`)
  process.exitCode = 1
}

async function main (root: string): Promise<void> {
  const config = await readConfig({ root, env: process.env })
  const platform = await openPlatform({ root, config })
  const app = await makeApp(platform)
  closeAtSignal(async () => {
    await app.close()
    await platform.close()
  })
  try {
    await app.listen({ host: config.host, port: config.port })
  } catch (error) {
    await platform.close()
    throw error
  }
  const { port } = app.server.address() as AddressInfo
  const url = `http://${config.host}:${port}`
  const pipelines = platform.supervisor.status().map(({ id }) => id)
  const lines = [
    `Twolane ${platform.version} is running at ${url} (health: ${url}/readyz, API: ${url}/openapi.json)`,
    `Pipelines: ${pipelines.length === 0 ? 'none' : pipelines.join(', ')}. Data: ${config.dataFolder}`,
    ...platform.supervisor.files.problems.length === 0 ? [] : [`Not running because of problems: ${platform.supervisor.files.problems.map(({ file }) => file).join(', ')}; see npx twolane lint`],
    ...platform.newAdminToken === undefined ? [] : [`Admin token, shown only this once: ${platform.newAdminToken}`],
    'See npx twolane status. Ctrl-C drains and stops.'
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** The first signal drains, the second one ends the process at once; what was in flight is finished at the next start. */
function closeAtSignal (close: () => Promise<void>): void {
  let closing = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (closing) process.exit(130)
      closing = true
      setTimeout(() => process.exit(1), STOP_MS_MAX).unref()
      close().then(() => process.exit(0), (error: unknown) => {
        process.stderr.write(`${describe(error)}\n`)
        process.exit(1)
      })
    })
  }
}
