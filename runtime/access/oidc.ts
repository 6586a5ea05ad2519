// Login at an OpenID Connect provider: authorization code with PKCE, state and nonce.
//
//   begin    a flow is kept here for ten minutes; its name goes into a cookie of the browser that began it
//   finish   that browser comes back with a code; the provider says who it is (issuer and subject) and in which groups
//
// Who is new becomes a user with the roles that oidc_roles gives to their groups, and none where it gives none. A user whom
// an admin has made without a password is taken over by the verified e-mail address; one with a password never is.

import { randomUUID } from 'node:crypto'
import { allowInsecureRequests, authorizationCodeGrant, buildAuthorizationUrl, calculatePKCECodeChallenge, discovery, fetchUserInfo, None, randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client'
import { describe, PlatformError } from '../errors.ts'
import type { Configuration } from 'openid-client'
import type { OidcConfig } from '../endpoint-config.ts'
import type { Access, Opened } from './access.ts'
import type { User } from './directory.ts'

const FLOW_MS_MAX = 10 * 60_000
/** Beyond that the oldest one is given up. */
const FLOWS_MAX = 1000
const ANSWER_SECONDS_MAX = 10
const GROUPS_MAX = 1000

interface Flow {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  readonly until: number
}

interface Identity {
  readonly subject: string
  readonly email: string
  readonly title: string
  readonly groups: readonly string[]
}

export class Provider {
  readonly #config: OidcConfig
  readonly #access: Access
  readonly #flows = new Map<string, Flow>()
  #client: Configuration | undefined

  constructor (config: OidcConfig, access: Access) {
    this.#config = config
    this.#access = access
  }

  /** Where to send the browser, and what its cookie is to hold. `back`: where the provider sends it back to. */
  async begin (back: string): Promise<{ readonly flow: string, readonly url: string }> {
    const client = await this.#discover()
    const flow = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier(), until: Date.now() + FLOW_MS_MAX }
    const id = randomUUID()
    this.#flows.set(id, flow)
    if (this.#flows.size > FLOWS_MAX) this.#flows.delete(this.#flows.keys().next().value as string)
    const url = buildAuthorizationUrl(client, {
      redirect_uri: back,
      scope: 'openid email profile groups'.split(' ').filter(scope => this.#knows(client, scope)).join(' '),
      state: flow.state,
      nonce: flow.nonce,
      code_challenge: await calculatePKCECodeChallenge(flow.verifier),
      code_challenge_method: 'S256'
    })
    return { flow: id, url: url.href }
  }

  /** Opens a session for whom the provider names. Throws UNAUTHORIZED where it names nobody, or nobody who may. */
  async finish ({ flow: id, back, query, address }: { readonly flow: string, readonly back: string, readonly query: string, readonly address: string }): Promise<Opened> {
    const flow = this.#flows.get(id)
    this.#flows.delete(id)
    if (flow === undefined || flow.until < Date.now()) throw new PlatformError('UNAUTHORIZED', 'This login was not begun in this browser, or more than ten minutes ago', { remedy: 'Begin again.' })
    const client = await this.#discover()
    const { subject, email, title, groups } = await this.#identify(client, flow, new URL(`${back}?${query}`))
    const known = this.#access.directory.userOfSubject(subject) ?? this.#invited(email)
    const roles = [...new Set(groups.flatMap(group => this.#config.roles.get(group) ?? []))].filter(role => this.#access.directory.role(role) !== undefined)
    const user = known ?? this.#access.newUser(this.#freeName(email), { email, title })
    if (user.disabled) throw new PlatformError('UNAUTHORIZED', `${user.user} is disabled`, { remedy: 'Ask an admin.' })
    const now: User = { ...user, subject, providerRoles: roles, ...(user.title === '' && { title }) }
    if (known === undefined || JSON.stringify(known) !== JSON.stringify(now)) {
      this.#access.change({ principal: undefined, address }, { action: known === undefined ? 'user.add' : 'user.change', target: user.user, detail: { by: 'identity provider', roles } }, () => this.#access.directory.putUser(now))
    }
    return this.#access.openSession(user.user, address, { with: 'identity provider' })
  }

  async #discover (): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.#config
    const url = new URL(issuer)
    // Over plain HTTP the answer could be anybody's, unless it never leaves this machine.
    const isLocal = url.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
    try {
      this.#client ??= await discovery(url, clientId, clientSecret === '' ? { token_endpoint_auth_method: 'none' } : clientSecret, clientSecret === '' ? None() : undefined, { timeout: ANSWER_SECONDS_MAX, ...(isLocal && { execute: [allowInsecureRequests] }) })
      return this.#client
    } catch (cause) {
      throw new PlatformError('ACCESS_UNAVAILABLE', `The identity provider ${url.origin} does not answer as one: ${describe(cause)}`, { remedy: 'Check oidc_issuer, or log in with a password.', cause })
    }
  }

  async #identify (client: Configuration, { state, nonce, verifier }: Flow, url: URL): Promise<Identity> {
    try {
      const tokens = await authorizationCodeGrant(client, url, { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true })
      const claims = tokens.claims()
      if (claims === undefined) throw new Error('it sent no ID token')
      const more = client.serverMetadata().userinfo_endpoint === undefined ? {} : await fetchUserInfo(client, tokens.access_token, claims.sub)
      const all: Record<string, unknown> = { ...more, ...claims }
      const { sub, iss, email, email_verified: isVerified, name, groups } = all
      return {
        subject: JSON.stringify([iss, sub]),
        email: isVerified === true && typeof email === 'string' ? email.toLowerCase() : '',
        title: typeof name === 'string' ? name.slice(0, 200) : '',
        groups: Array.isArray(groups) ? groups.slice(0, GROUPS_MAX).filter(group => typeof group === 'string') : []
      }
    } catch (cause) {
      throw new PlatformError('UNAUTHORIZED', 'The identity provider did not let this login through', { remedy: 'Begin again; the log of the provider says more.', cause })
    }
  }

  #knows (client: Configuration, scope: string): boolean {
    return scope === 'openid' || client.serverMetadata().scopes_supported?.includes(scope) === true
  }

  /** Made by an admin for whoever has this address, and not used until now. */
  #invited (email: string): User | undefined {
    if (email === '') throw new PlatformError('UNAUTHORIZED', 'The identity provider names no e-mail address that it has verified', { remedy: 'Have the address verified there.' })
    const found = this.#access.directory.users().filter(user => user.email.toLowerCase() === email && user.subject === undefined)
    if (found.some(({ password }) => password !== undefined)) throw new PlatformError('UNAUTHORIZED', `A user with the address ${email} logs in with a password`, { remedy: 'Log in with it, or ask an admin to remove that user.' })
    return found[0]
  }

  #freeName (email: string): string {
    const name = email.replace(/[^a-z0-9._@+-]/g, '-').replace(/^[^a-z0-9]+/, '').slice(0, 90)
    if (name !== '' && this.#access.directory.user(name) === undefined) return name
    return `${name === '' ? 'user' : name}-${randomUUID().slice(0, 8)}`
  }
}
