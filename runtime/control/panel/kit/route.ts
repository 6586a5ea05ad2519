// Where the page is: everything that can be looked at has an address, `#/jobs/daily-bars?tab=runs`, that can be shared.

import { signal } from './html.ts'

export interface Route {
  /** `['jobs', 'daily-bars']` */
  readonly path: readonly string[]
  readonly query: Readonly<Record<string, string>>
}

export const route = signal<Route>(parse(location.hash))

window.addEventListener('hashchange', () => { route.value = parse(location.hash) })

/** The address of a place in the page; parts are escaped, and what is undefined or empty is left out. */
export function href (path: readonly string[], query: Readonly<Record<string, string | number | undefined>> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '').map(([name, value]) => [name, String(value)])
  return `#/${path.map(encodeURIComponent).join('/')}${given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`}`
}

export function go (path: readonly string[], query?: Readonly<Record<string, string | number | undefined>>): void {
  location.hash = href(path, query)
}

/** Changes parameters of the place where the page is, without a step in the history: filters, tabs, sorting. */
export function setQuery (changes: Readonly<Record<string, string | number | undefined>>): void {
  const { path, query } = route.peek()
  history.replaceState(null, '', href(path, { ...query, ...changes }))
  route.value = parse(location.hash)
}

function parse (hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  return { path: path.split('/').filter(part => part !== '').map(decoded), query: Object.fromEntries(new URLSearchParams(query)) }
}

function decoded (part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
