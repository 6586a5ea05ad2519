// `twolane export`: the files that are set up at the running platform, as an archive. Unpacked over the repository they
// show in git what was changed in the browser.

import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { findPlatform } from '../control/address.ts'
import { PlatformError } from '../errors.ts'
import { adminOptions } from './admin.ts'
import type { Terminal } from './terminal.ts'

const nameDefault = 'twolane-project.tar.gz'

/** Throws NOT_RUNNING where no platform answers, and never overwrites a file. */
export async function run (args: readonly string[], { root, folder, env, print }: Terminal): Promise<number> {
  const { values, positionals: [name = nameDefault] } = parseArgs({ args: [...args], options: adminOptions, allowPositionals: true })
  const { url, token } = await findPlatform({ root, env, token: values.token })
  const answer = await fetch(`${url}/v1/export`, { headers: { authorization: `Bearer ${token}` } }).catch((cause: unknown) => {
    throw new PlatformError('NOT_RUNNING', `No platform answers at ${url}`, { remedy: 'Start it with npm start, or set TWOLANE_URL to its address.', cause })
  })
  if (!answer.ok) throw new PlatformError('REQUEST_REFUSED', `The platform answered ${answer.status}`, { remedy: 'Check TWOLANE_ADMIN_TOKEN or --token.' })
  const bytes = Buffer.from(await answer.arrayBuffer())
  await writeFile(resolve(folder, name), bytes, { flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    throw new PlatformError('REQUEST_INVALID', `${name} ${cause.code === 'EEXIST' ? 'is there already' : `cannot be written: ${cause.message}`}`, { remedy: 'Name another file.', cause })
  })
  print(`${name}: ${bytes.length} bytes`)
  return 0
}
