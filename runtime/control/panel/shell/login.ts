// How a login begins, and ends.

import { get, post, problemOf } from '../kit/api.ts'
import { forgetDrafts } from '../kit/draft.ts'
import { batch } from '../kit/html.ts'
import { forget, refresh } from '../kit/resource.ts'
import { lapsed, notice, owner, pastedToken, pasteToken, session } from '../kit/session.ts'
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
  const before = owner.peek()
  try {
    const me = await get<Me>('/v1/me')
    // What somebody else had typed or seen is not for whoever comes now.
    if (before !== undefined && before.user !== me.user) forgetAll()
    const back = lapsed.peek() !== undefined
    batch(() => {
      session.value = me
      lapsed.value = undefined
      notice.value = ''
    })
    if (back) await refresh()
  } catch (error) {
    // A platform that does not answer for a moment has not said that the login is over.
    if (session.peek() === undefined || problemOf(error).status === 401) {
      pasteToken(undefined)
      session.value = null
    }
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
  forgetAll()
  notice.value = ''
  lapsed.value = undefined
  session.value = null
}

function forgetAll (): void {
  forget()
  forgetDrafts()
}
