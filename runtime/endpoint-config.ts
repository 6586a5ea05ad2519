// What config/platform.yaml says of the control panel's own server: TLS, and a provider to log in with.

import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { describe, PlatformError } from './errors.ts'
import type { Json } from './plugin.ts'

export interface OidcConfig {
  readonly issuer: string
  readonly clientId: string
  /** Secret. Empty: a public client. */
  readonly clientSecret: string
  readonly title: string
  /** Roles by group. */
  readonly roles: ReadonlyMap<string, readonly string[]>
}

type Values = Readonly<Record<string, Json>>

const remedy = 'They are set in config/platform.yaml, or by TWOLANE_TLS_CERTIFICATE_FILE and TWOLANE_TLS_KEY_FILE; both are PEM, the key without a passphrase.'

/** Throws CONFIG_INVALID where one of the two files is missing, or does not fit the other. */
export async function tlsOf (root: string, values: Values): Promise<{ readonly cert: string, readonly key: string } | undefined> {
  const [certificate, key] = [values['tls_certificate_file'] as string, values['tls_key_file'] as string]
  if (certificate === '' && key === '') return undefined
  if (certificate === '' || key === '') throw new PlatformError('CONFIG_INVALID', `${certificate === '' ? 'tls_key_file' : 'tls_certificate_file'} is set, and ${certificate === '' ? 'tls_certificate_file' : 'tls_key_file'} is not`, { remedy })
  const read = async (name: string, path: string): Promise<string> => {
    try {
      return await readFile(resolve(root, path), 'utf8')
    } catch (cause) {
      throw new PlatformError('CONFIG_INVALID', `${name}: ${path} cannot be read`, { cause, remedy })
    }
  }
  const tls = { cert: await read('tls_certificate_file', certificate), key: await read('tls_key_file', key) }
  try {
    createSecureContext(tls)
  } catch (cause) {
    throw new PlatformError('CONFIG_INVALID', `tls_certificate_file and tls_key_file do not hold a certificate and its key: ${describe(cause)}`, { cause, remedy })
  }
  return tls
}

/** Throws CONFIG_INVALID where the client's name is missing. */
export function oidcOf (values: Values): OidcConfig | undefined {
  const issuer = values['oidc_issuer'] as string
  if (issuer === '') return undefined
  const clientId = values['oidc_client_id'] as string
  if (clientId === '') throw new PlatformError('CONFIG_INVALID', 'oidc_issuer is set, and oidc_client_id is not', { remedy: 'Register the platform at the provider, with <address of the platform>/v1/login/oidc/callback to come back to, and set TWOLANE_OIDC_CLIENT_ID.' })
  const roles = new Map<string, string[]>()
  for (const pair of (values['oidc_roles'] as string).split(',')) {
    const at = pair.lastIndexOf('=')
    if (at === -1) continue
    const [group, role] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
    roles.set(group, [...roles.get(group) ?? [], role])
  }
  return { issuer, clientId, clientSecret: values['oidc_client_secret'] as string, title: values['oidc_title'] as string, roles }
}

/** Throws CONFIG_INVALID for what is no address or network: a proxy that is believed says who everybody is. */
export function proxiesOf (values: Values): string[] {
  const proxies = (values['trusted_proxies'] as string).split(',').map(text => text.trim()).filter(text => text !== '')
  for (const proxy of proxies) {
    const [address = '', bits, ...more] = proxy.split('/')
    const bitsMax = isIP(address) === 6 ? 128 : 32
    if (isIP(address) > 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 8 && Number(bits) <= bitsMax))) continue
    throw new PlatformError('CONFIG_INVALID', `trusted_proxies: ${JSON.stringify(proxy)} is no address, and no network of at least 8 bits`, { remedy: 'Write the addresses of the proxies, such as 10.0.0.5, 10.1.0.0/24 or fd00::5, separated by commas.' })
  }
  return proxies
}
