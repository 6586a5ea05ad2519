// How the command line finds the running platform and is let in, on the same machine and for the same user:
//
//   data/address       the URL of the admin endpoint, while the platform runs
//   data/owner         the process that runs it: an address that a crash left behind is not called
//   data/admin-token   the token that the platform made at its first start; only its user can read it
//
// TWOLANE_URL and TWOLANE_ADMIN_TOKEN (or --token) win, and are what another machine or user needs.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readConfig } from '../config.ts'
import { PlatformError } from '../errors.ts'
import { ADMIN_TOKEN_FILE } from '../store.ts'
import type { Environment } from '../interpolate.ts'

export const ADDRESS_FILE = 'address'

export interface Address {
  readonly url: string
  /** Of the platform on this machine, where it speaks TLS: its own certificate (PEM), to be trusted as it is. */
  readonly certificate: string | undefined
  readonly token: string
}

/** Throws NOT_RUNNING or UNAUTHORIZED with what to do. */
export async function findPlatform ({ root, env, token }: { readonly root: string, readonly env: Environment, readonly token?: string | undefined }): Promise<Address> {
  const config = await readConfig({ root, env })
  const { TWOLANE_URL: given } = env
  const url = given !== undefined && given !== '' ? given : await localUrl(config.dataFolder)
  if (URL.parse(url) === null) throw new PlatformError('CONFIG_INVALID', `${JSON.stringify(url)} is no address`, { where: 'environment TWOLANE_URL', remedy: 'It looks like http://127.0.0.1:8080.' })
  // The token of the local platform is none for another one.
  const found = token ?? config.adminToken ?? (url === given ? undefined : await firstLine(join(config.dataFolder, ADMIN_TOKEN_FILE)))
  if (found === undefined) throw new PlatformError('UNAUTHORIZED', 'The admin token is not known here', { remedy: 'Set TWOLANE_ADMIN_TOKEN, or give it with --token.' })
  return { url: url.replace(/\/+$/, ''), token: found, certificate: url === given ? undefined : config.tls?.cert }
}

async function localUrl (dataFolder: string): Promise<string> {
  const url = await firstLine(join(dataFolder, ADDRESS_FILE))
  const pid = Number(await firstLine(join(dataFolder, 'owner')))
  if (url === undefined || !isAlive(pid)) {
    throw new PlatformError('NOT_RUNNING', 'The platform does not run on this data folder', { where: dataFolder, remedy: 'Start it with npm start, or set TWOLANE_URL to the address of another one.' })
  }
  return url
}

function isAlive (pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It lives, but belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function firstLine (file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch {
    // Not there, or not for this user: the caller says what to do.
    return undefined
  }
}
