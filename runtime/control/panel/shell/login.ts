// How a login begins, and ends.

import { get, post } from '../kit/api.ts'
import { forget } from '../kit/resource.ts'
import { notice, pastedToken, pasteToken, session } from '../kit/session.ts'
import type { Me } from '../kit/session.ts'

/** What the platform says before anybody is logged in. */
export interface Entrance {
  /** There is no user yet: the first one is made with the code that the platform printed. */
  readonly first_start: boolean
  /** Whether people sign in with another service. */
  readonly oidc: { readonly title: string } | null
}

/** Asks who is logged in. */
export async function whoAmI (): Promise<void> {
  try {
    session.value = await get<Me>('/v1/me')
    notice.value = ''
  } catch (error) {
    pasteToken(undefined)
    session.value = null
    throw error
  }
}

export async function signIn (user: string, password: string): Promise<void> {
  pasteToken(undefined)
  await post('/v1/login', { user, password })
  await whoAmI()
}

/** With a token, which stays in this tab. */
export async function signInWithToken (token: string): Promise<void> {
  pasteToken(token)
  await whoAmI()
}

/** Makes the first user, and logs in. */
export async function firstStart (code: string, user: string, password: string): Promise<void> {
  await post('/v1/setup', { code, user, password })
  await whoAmI()
}

export async function signOut (): Promise<void> {
  if (pastedToken() === null) await post('/v1/logout')
  pasteToken(undefined)
  forget()
  notice.value = ''
  session.value = null
}
