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
/** Whose login has ended while the page was open. The page stays below the login, with all that was typed. */
export const lapsed = signal<Me | undefined>(undefined)
/** Said on the login page. */
export const notice = signal('')

/** Whose page it is: of whoever is logged in, or was until the login ended. */
export const owner = computed(() => session.value ?? lapsed.value)
const scopes = computed(() => new Set(owner.value?.scopes ?? []))

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
  const before = session.peek()
  if (before !== null && before !== undefined) {
    notice.value = 'Your login has ended. Sign in again; the page goes on where it was.'
    lapsed.value = before
  }
  pasteToken(undefined)
  session.value = null
}
