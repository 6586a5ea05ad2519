// Who uses the page. A login lives in a cookie that scripts cannot read; a token that was pasted lives in this tab only.

import { computed, signal } from './html.ts'

/** What `GET /v1/me` says. */
export interface Me {
  readonly kind: string
  readonly user: string
  readonly token: string | null
  readonly roles: readonly string[]
  readonly teams: readonly string[]
  readonly scopes: readonly string[]
  readonly csrf: string | null
}

const TOKEN_KEY = 'twolane.token'

/** undefined: not known yet; null: nobody is logged in. */
export const session = signal<Me | null | undefined>(undefined)
/** Said on the login page. */
export const notice = signal('')

const scopes = computed(() => new Set(session.value?.scopes ?? []))

/** Whether whoever is logged in has a scope; no scope: everybody. */
export function may (scope: string | undefined): boolean {
  return scope === undefined || scopes.value.has(scope)
}

/** Headers that say who asks. A token never goes into an address. */
export function credentials (method: string): Record<string, string> {
  const token = pastedToken()
  if (token !== null) return { authorization: `Bearer ${token}` }
  const csrf = session.peek()?.csrf
  return method === 'GET' || csrf === undefined || csrf === null ? {} : { 'x-csrf-token': csrf }
}

export function pastedToken (): string | null {
  return sessionStorage.getItem(TOKEN_KEY)
}

export function pasteToken (token: string | undefined): void {
  if (token === undefined) sessionStorage.removeItem(TOKEN_KEY)
  else sessionStorage.setItem(TOKEN_KEY, token)
}

/** The login has ended, or never was. */
export function dropSession (): void {
  if (session.peek() !== null && session.peek() !== undefined) notice.value = 'Your login has ended. Sign in again; the page goes on where it was.'
  pasteToken(undefined)
  session.value = null
}
