// `twolane clickhouse`: the embedded engine alone, for several runtimes that share it, until Ctrl-C.

import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startEmbedded } from '../clickhouse/embedded.ts'
import { isLoopback } from '../control/guard.ts'
import { describe, PlatformError } from '../errors.ts'
import { UsageError } from './terminal.ts'
import type { EmbeddedState } from '../clickhouse/embedded.ts'
import type { Terminal } from './terminal.ts'

const PASSWORD_VARIABLE = 'TWOLANE_CLICKHOUSE_PASSWORD'
const PASSWORD_FILE = 'twolane-password'
const PASSWORD_CHARACTERS_MIN = 16

const options = {
  data: { type: 'string', default: 'data/clickhouse' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '8123' },
  user: { type: 'string', default: 'default' },
  'memory-gigabytes': { type: 'string', default: '2' }
} as const

/** Resolves after the Ctrl-C, when what ran has ended and the engine is closed. */
export async function run (args: readonly string[], { root, env, print, complain, signal }: Terminal): Promise<number> {
  const { values } = parseArgs({ args: [...args], options })
  const port = numberOf('--port', values.port, value => Number.isInteger(value) && value >= 0 && value <= 65_535)
  const gigabytes = numberOf('--memory-gigabytes', values['memory-gigabytes'], value => value > 0)
  const folder = resolve(root, values.data)
  const given = env[PASSWORD_VARIABLE] ?? ''
  checkExposure(values.host, given)
  const password = given === '' ? await keptPassword(folder) : given

  let before: EmbeddedState['state'] = 'down'
  const engine = await startEmbedded({
    folder,
    host: values.host,
    port,
    user: values.user,
    password,
    memoryBytesMax: Math.floor(gigabytes * 2 ** 30),
    onState (state) {
      if (state.state === 'restarting') complain(`The engine is down and is started again: ${state.reason}`)
      else if (state.state === 'up' && before === 'restarting') print('The engine is up again')
      before = state.state
    },
    log: { info () {}, warn: (fields, message) => complain(`${message} ${JSON.stringify(fields)}`), error () {} }
  })
  try {
    const { host } = new URL(engine.url)
    print(`ClickHouse ${engine.version} answers at http://${host} for the user ${values.user}. Data: ${folder}`)
    print(`Its password is ${given === '' ? `in ${join(folder, PASSWORD_FILE)}` : `that of ${PASSWORD_VARIABLE}`}. A runtime uses it with TWOLANE_CLICKHOUSE=http://${values.user}:<password>@${host}`)
    print('Ctrl-C lets what runs end, and stops.')
    if (signal?.aborted !== true) await new Promise<void>(resolve => { signal?.addEventListener('abort', () => resolve(), { once: true }) })
  } finally {
    await engine.close()
  }
  return 0
}

function numberOf (name: string, text: string, fits: (value: number) => boolean): number {
  const value = text.trim() === '' ? NaN : Number(text)
  if (!fits(value)) throw new UsageError(`${name} cannot be ${JSON.stringify(text)}`)
  return value
}

/** Whoever has the password can read files of this machine, and it goes over the network as it is. */
function checkExposure (host: string, password: string): void {
  if (isLoopback(host) || password.length >= PASSWORD_CHARACTERS_MIN) return
  throw new PlatformError('CONFIG_INVALID', `Other machines can reach ${host}, and ${PASSWORD_VARIABLE} is not set or too short`, {
    remedy: `Set it to ${PASSWORD_CHARACTERS_MIN} characters or more and put TLS in front; or listen on 127.0.0.1.`
  })
}

/** Made at the first start, and the same from then on: the runtimes have it in their configuration. */
async function keptPassword (folder: string): Promise<string> {
  const file = join(folder, PASSWORD_FILE)
  const made = randomBytes(24).toString('base64url')
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(file, `${made}\n`, { mode: 0o600, flag: 'wx' })
    return made
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new PlatformError('CONFIG_INVALID', `The folder ${folder} cannot be used: ${describe(cause)}`, { remedy: 'Choose another one with --data, or let this user write to it.', cause })
    }
  }
  const kept = (await readFile(file, 'utf8')).trim()
  if (kept === '') throw new PlatformError('CONFIG_INVALID', `The password in ${file} is empty`, { remedy: 'Remove the file: a new password is made then.' })
  return kept
}
