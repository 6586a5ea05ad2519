import { Brand } from './brand.ts'
import { firstStart, signIn, signInWithToken } from './login.ts'
import { Labelled } from '../parts/form.ts'
import { ProblemBox, Skeleton } from '../parts/problem.ts'
import { problemOf } from '../kit/api.ts'
import { html, useEffect, useRef, useState } from '../kit/html.ts'
import { go, route } from '../kit/route.ts'
import { lapsed, notice } from '../kit/session.ts'
import { useResource } from '../kit/resource.ts'
import type { Control } from '../parts/form.ts'
import type { Entrance } from './login.ts'
import type { Problem } from '../kit/api.ts'
import type { VNode } from '../kit/html.ts'

const valueOf = (event: Event): string => (event.target as HTMLInputElement).value

/** Where a login begins: user and password, another service, or a token. */
export function LoginPage (): VNode {
  const entrance = useResource<Entrance>('/v1/setup')
  const { path } = route.value
  useEffect(() => { document.title = 'Sign in · Twolane' }, [])
  const code = codeOf(path)
  if (code !== undefined && entrance.loading) return html`<main id="main"><${Skeleton} lines=${3} /></main>`
  if (code !== undefined && entrance.data?.first_start !== false) return html`<${FirstStart} code=${code} />`
  return html`<main class="entrance" id="main" tabindex="-1"><${LoginCard} entrance=${entrance.data} /></main>`
}

/** Of the address that the platform printed. Places of the page Setup have names that are shorter. */
function codeOf ([page, code = '', ...more]: readonly string[]): string | undefined {
  return page === 'setup' && more.length === 0 && /^[\w-]{20,}$/.test(code) ? code : undefined
}

/** A login over the page, which waits below as it was. Browsers close a dialog at the second Escape whatever is said: it opens again. */
export function LoginAgain (): VNode {
  const entrance = useResource<Entrance>('/v1/setup')
  const element = useRef<HTMLDialogElement>(null)
  const show = (): void => {
    element.current?.showModal()
    element.current?.querySelector<HTMLInputElement>('input[type=password]')?.focus()
  }
  useEffect(show, [])
  return html`<dialog ref=${element} class="again entrance" aria-label="Sign in again" onCancel=${(event: Event) => event.preventDefault()} onClose=${show}><${LoginCard} entrance=${entrance.data} /></dialog>`
}

function LoginCard ({ entrance }: { readonly entrance: Entrance | undefined }): VNode {
  // What was typed into the page would be lost if another one took its place.
  const beside = lapsed.value === undefined ? undefined : '_blank'
  return html`<div class="card">
    <${Brand} />
    <h1>Sign in</h1>
    ${notice.value !== '' && html`<p class="notice" role="status">${notice.value}</p>`}
    ${entrance?.first_start === true && html`<p class="notice">There is no user yet. Open the address that the platform printed at its first start, <code>#/setup/…</code>, or use the admin token.</p>`}
    <${Passwords} />
    ${entrance?.oidc !== null && entrance?.oidc !== undefined && html`<a class="button wide" href="/v1/login/oidc" target=${beside}>Sign in with ${entrance.oidc.title}</a>`}
    <${Tokens} open=${entrance?.first_start === true || lapsed.value?.kind === 'token'} />
    <p class="small faint"><a href="/status" target=${beside}>How the platform is</a></p>
  </div>`
}

/** Runs a form: whether it is busy, and what went wrong. */
function useSubmit (what: () => Promise<void>): { readonly busy: boolean, readonly problem: Problem | undefined, readonly onSubmit: (event: Event) => void } {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const onSubmit = (event: Event): void => {
    event.preventDefault()
    setBusy(true)
    setProblem(undefined)
    what().catch((error: unknown) => setProblem(problemOf(error))).finally(() => setBusy(false))
  }
  return { busy, problem, onSubmit }
}

function Passwords (): VNode {
  const [user, setUser] = useState(lapsed.peek()?.user ?? '')
  const [password, setPassword] = useState('')
  const { busy, problem, onSubmit } = useSubmit(() => signIn(user, password))
  return html`<form onSubmit=${onSubmit}>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <${Labelled} label="User">${(control: Control) => html`<input ...${control} name="username" autocomplete="username" autocapitalize="none" spellcheck=${false} required value=${user} onInput=${(event: Event) => setUser(valueOf(event))} />`}</${Labelled}>
    <${Labelled} label="Password">${(control: Control) => html`<input ...${control} name="password" type="password" autocomplete="current-password" required value=${password} onInput=${(event: Event) => setPassword(valueOf(event))} />`}</${Labelled}>
    <button type="submit" class="primary wide" disabled=${busy}>${busy ? 'Signing in…' : 'Sign in'}</button>
  </form>`
}

function Tokens ({ open }: { readonly open: boolean }): VNode {
  const [token, setToken] = useState('')
  const { busy, problem, onSubmit } = useSubmit(() => signInWithToken(token.trim()))
  return html`<details open=${open}><summary>Use a token</summary><form onSubmit=${onSubmit}>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <${Labelled} label="Token" hint="It stays in this tab and is forgotten when the tab is closed.">${(control: Control) => html`<input ...${control} type="password" autocomplete="off" required value=${token} onInput=${(event: Event) => setToken(valueOf(event))} />`}</${Labelled}>
    <button type="submit" class="wide" disabled=${busy}>Use it</button>
  </form></details>`
}

function FirstStart ({ code }: { readonly code: string }): VNode {
  const [user, setUser] = useState('')
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const differs = again !== '' && again !== password
  const { busy, problem, onSubmit } = useSubmit(async () => {
    if (password !== again) return
    await firstStart(code, user, password)
    go(['setup'])
  })
  return html`<main class="entrance" id="main" tabindex="-1"><div class="card">
    <${Brand} />
    <h1>Welcome</h1>
    <p>This is the first start. Make the user that administers the platform; everybody else is added by that user later.</p>
    <form onSubmit=${onSubmit}>
      ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
      <${Labelled} label="User" hint="Small letters and digits.">${(control: Control) => html`<input ...${control} autocomplete="username" autocapitalize="none" spellcheck=${false} required value=${user} onInput=${(event: Event) => setUser(valueOf(event))} />`}</${Labelled}>
      <${Labelled} label="Password" hint="12 characters or more; a sentence is good.">${(control: Control) => html`<input ...${control} type="password" autocomplete="new-password" required value=${password} onInput=${(event: Event) => setPassword(valueOf(event))} />`}</${Labelled}>
      <${Labelled} label="The password again" error=${differs ? 'The two differ.' : undefined}>${(control: Control) => html`<input ...${control} type="password" autocomplete="new-password" required value=${again} onInput=${(event: Event) => setAgain(valueOf(event))} />`}</${Labelled}>
      <button type="submit" class="primary wide" disabled=${busy || differs}>Make the user and sign in</button>
    </form>
  </div></main>`
}
