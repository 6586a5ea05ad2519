// What is around every page: navigation, palette, shortcuts, messages.

import { Brand } from './brand.ts'
import { LoginAgain, LoginPage } from './login-page.ts'
import { signOut, whoAmI } from './login.ts'
import { Palette, paletteOpen } from './palette.ts'
import { ShortcutHelp, useShortcuts } from './shortcuts.ts'
import { Fence } from '../parts/fence.ts'
import { Icon } from '../parts/icon.ts'
import { Empty, Skeleton } from '../parts/problem.ts'
import { Menu } from '../parts/menu.ts'
import { complain, Toasts } from '../parts/toast.ts'
import { title } from '../parts/page.ts'
import { classes, html, signal, useEffect, useState } from '../kit/html.ts'
import { go, href, route } from '../kit/route.ts'
import { may, owner, session } from '../kit/session.ts'
import { choice } from '../kit/theme.ts'
import { pages } from '../pages.ts'
import type { VNode } from '../kit/html.ts'
import type { ThemeChoice } from '../kit/theme.ts'
import type { PageComponent, PageEntry } from '../pages.ts'

const drawerOpen = signal(false)

export function App (): VNode {
  useEffect(() => {
    // Its code comes while the platform still says who asks.
    pages.find(({ id }) => id === (route.peek().path[0] ?? 'home'))?.load().catch(() => {})
    // Nobody is logged in: the login page says the rest. Another tab may have signed in, or out, or as somebody else.
    const look = (): void => { if (!document.hidden) whoAmI().catch(() => {}) }
    look()
    document.addEventListener('visibilitychange', look)
    return () => document.removeEventListener('visibilitychange', look)
  }, [])
  if (session.value === undefined) return html`<main id="main"><${Skeleton} lines=${3} /></main>`
  const user = owner.value?.user
  if (user === undefined) return html`<${LoginPage} /><${Toasts} />`
  return html`<${Shell} key=${user} />${session.value === null && html`<${LoginAgain} />`}`
}

function Shell (): VNode {
  const { path, query } = route.value
  const page = pages.find(({ id }) => id === path[0]) ?? (path[0] === undefined || path[0] === 'setup' ? pages[0] : undefined)
  useShortcuts()
  useEffect(() => {
    if (path[0] === undefined) go(['home'])
  }, [path[0]])
  // A new place is where reading goes on; the drawer of narrow screens has done its work.
  const place = path.join('/')
  const [first, setFirst] = useState(true)
  useEffect(() => {
    drawerOpen.value = false
    if (!first) document.getElementById('main')?.focus({ preventScroll: true })
    window.scrollTo(0, 0)
    setFirst(false)
  }, [place])
  return html`
    <a class="skip" href="#main" onClick=${(event: Event) => { event.preventDefault(); document.getElementById('main')?.focus() }}>Skip to the page</a>
    <div class=${classes('shell', drawerOpen.value && 'drawer-open')}>
      <${TopBar} />
      <${Navigation} current=${page?.id} />
      <main id="main" tabindex="-1">${page === undefined ? html`<${Empty} title="There is no such page"><a href=${href(['home'])}>Go to Home</a></${Empty}>` : html`<${Fence} key=${page.id} place=${place}><${Opened} page=${page} path=${path.slice(1)} query=${query} /></${Fence}>`}</main>
    </div>
    <p class="hidden" role="status">${title.value}</p>
    <${Toasts} />
    ${paletteOpen.value && html`<${Palette} />`}
    <${ShortcutHelp} />`
}

/** A page whose code is loaded when it is opened. */
function Opened ({ page, path, query }: { readonly page: PageEntry, readonly path: readonly string[], readonly query: Readonly<Record<string, string>> }): VNode {
  const [component, setComponent] = useState<{ readonly draw: PageComponent }>()
  useEffect(() => {
    page.load().then(module => setComponent({ draw: module.default }), complain)
  }, [page])
  if (!may(page.scope)) {
    return html`<${Empty} title=${`${page.title} needs the scope ${page.scope}`}>Your login does not have it. An admin can give you a role that does.</${Empty}>`
  }
  return component === undefined ? html`<${Skeleton} lines=${6} />` : html`<${component.draw} path=${path} query=${query} />`
}

function TopBar (): VNode {
  return html`<header class="top-bar">
    <button type="button" class="icon-only" aria-label="Navigation" aria-expanded=${drawerOpen.value} onClick=${() => { drawerOpen.value = !drawerOpen.value }}><${Icon} name="menu" /></button>
    <a href=${href(['home'])} aria-label="Twolane, home"><${Brand} /></a>
    <button type="button" class="icon-only" aria-label="Find" onClick=${() => { paletteOpen.value = true }}><${Icon} name="search" /></button>
  </header>`
}

const themes: ReadonlyArray<readonly [ThemeChoice, 'auto' | 'sun' | 'moon', string]> = [['auto', 'auto', 'As the system'], ['light', 'sun', 'Light'], ['dark', 'moon', 'Dark']]

function Navigation ({ current }: { readonly current: string | undefined }): VNode {
  return html`<aside class="side" aria-label="Pages and account">
    <a href=${href(['home'])} class="side-brand" aria-label="Twolane, home"><${Brand} /></a>
    <button type="button" class="find" onClick=${() => { paletteOpen.value = true }}><${Icon} name="search" /><span>Find</span><kbd>Ctrl K</kbd></button>
    <nav aria-label="Pages"><ul>
      ${pages.map(({ id, title, icon, scope }) => {
        const open = may(scope)
        return html`<li><a href=${href([id])} class=${classes(id === current && 'current', !open && 'locked')} aria-current=${id === current ? 'page' : undefined} title=${open ? undefined : `Needs the scope ${scope}`}><${Icon} name=${icon} /><span>${title}</span>${!open && html`<${Icon} name="lock" size=${12} /><span class="hidden">, needs the scope ${scope}</span>`}</a></li>`
      })}
      <li><a href="/status"><${Icon} name="status" /><span>Status</span></a></li>
    </ul></nav>
    <div class="side-foot">
      <div class="segments" role="group" aria-label="Colours">${themes.map(([name, icon, label]) => html`<button type="button" class="icon-only" aria-pressed=${choice.value === name} aria-label=${label} title=${label} onClick=${() => { choice.value = name }}><${Icon} name=${icon} size=${14} /></button>`)}</div>
      <${Menu} label=${owner.value?.user ?? ''} icon="access" items=${[{ label: 'My account', icon: 'access', onSelect: () => go(['access', 'me']) }, { label: 'Sign out', icon: 'out', onSelect: () => signOut().catch(complain) }]} />
    </div>
  </aside>`
}
