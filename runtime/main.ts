// `npm start`: opens the platform from the files of the current folder, serves the admin endpoint, and drains at Ctrl-C.
//
// Exit codes: 0 after a stop, also one that was forced because something hung; 1 when it could not start; 130 after a
// second Ctrl-C. Whatever was in flight then is finished at the next start.

import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer, isIPv6 } from 'node:net'
import { join } from 'node:path'
import { readConfig } from './config.ts'
import { ADDRESS_FILE } from './control/address.ts'
import { makeApp } from './control/app.ts'
import { checkExposure } from './control/guard.ts'
import { writeDurably } from './durable.ts'
import { describe, PlatformError } from './errors.ts'
import { openPlatform } from './platform.ts'
import type { FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import type { Platform } from './platform.ts'
import type { PlatformConfig } from './config.ts'

const STOP_MS_MAX = 9500

const closers: Array<() => unknown> = []
closeAtSignal()
// At a limit of the size of files a write then fails, as on a full disk; the system's default is to end the process.
process.on('SIGXFSZ', () => {})
try {
  await main(process.cwd())
} catch (error) {
  process.stderr.write(`${describe(error)}\n`)
  await close()
  process.exit(1)
}

async function main (root: string): Promise<void> {
  const config = await readConfig({ root, env: process.env })
  checkExposure(config)
  await checkPort(config)
  const platform = await openPlatform({ root, config })
  closers.push(() => platform.close())
  const app = await makeApp(platform)
  closers.push(() => app.close())
  await app.listen({ host: config.host, port: config.port })
  const url = await tellAddress(app, config)
  if (platform.url === '') platform.url = url
  for (const line of greeting(platform, url, platform.fleet.isControl ? platform.access.makeSetupCode() : undefined)) process.stdout.write(`${line}\n`)
}

function greeting ({ version, supervisor, config, newAdminToken }: Platform, url: string, setupCode: string | undefined): string[] {
  const { pipelines, problems } = supervisor.files
  return [
    `Twolane ${version} is running at ${url} (health: ${url}/readyz, API: ${url}/openapi.json)`,
    `Pipelines: ${pipelines.size === 0 ? 'none' : [...pipelines.keys()].join(', ')}. ${problems.length === 0 ? '' : `Not running because of problems: ${problems.map(({ file }) => file).join(', ')}; see npx twolane lint. `}Data: ${config.dataFolder}${config.kafka === undefined ? '' : `. Broker: kafka://${config.kafka.brokers.join(',')}, as ${config.name}`}`,
    ...newAdminToken === undefined ? [] : [`Admin token, shown only this once: ${newAdminToken}`],
    // After the #: a browser does not send that part, so no log on the way has it.
    ...setupCode === undefined ? [] : [`Set up the first user within 30 minutes: ${url}/#/setup/${setupCode}`],
    'See npx twolane status. Ctrl-C drains and stops.'
  ]
}

/** Before anything is opened: a second start is the most likely mistake, and should say so at once. */
async function checkPort ({ host, port }: PlatformConfig): Promise<void> {
  const server = createServer()
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw new PlatformError('PORT_IN_USE', `Another program, perhaps this platform, listens on ${host}:${port}`, { remedy: 'Stop it, or choose another port with TWOLANE_PORT.', cause })
    if (code === 'EACCES') throw new PlatformError('PORT_IN_USE', `This user may not listen on port ${port}`, { remedy: 'Choose one above 1023 with TWOLANE_PORT.', cause })
    throw new PlatformError('CONFIG_INVALID', `The platform cannot listen on ${host}:${port} (${code ?? describe(cause)})`, { remedy: 'Set TWOLANE_HOST to an address of this machine.', cause })
  } finally {
    server.close()
  }
}

/** Where the command line finds the platform: a file in the data folder, while it runs. */
async function tellAddress (app: FastifyInstance, { host, dataFolder, tls }: PlatformConfig): Promise<string> {
  const { port } = app.server.address() as AddressInfo
  // An address that means all of this machine's is none that could be called.
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  const url = `${tls === undefined ? 'http' : 'https'}://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}`
  const file = join(dataFolder, ADDRESS_FILE)
  await writeDurably(file, `${url}\n`)
  closers.push(() => rmSync(file, { force: true }))
  return url
}

/** In reverse; calling it again waits for the rest only. */
async function close (): Promise<void> {
  for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer()
}

/** The first signal drains, the second one ends the process at once. */
function closeAtSignal (): void {
  let closing = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (closing) process.exit(130)
      closing = true
      setTimeout(() => {
        process.stderr.write('Not everything stopped in time; what was in flight is finished at the next start\n')
        process.exit(0)
      }, STOP_MS_MAX)
      close().then(() => process.exit(0), (error: unknown) => {
        process.stderr.write(`${describe(error)}\n`)
        process.exit(1)
      })
    })
  }
}
