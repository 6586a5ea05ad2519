import { classes, html } from '../kit/html.ts'
import { href, route } from '../kit/route.ts'
import type { VNode } from '../kit/html.ts'

export interface Tab {
  readonly id: string
  readonly title: string
  /** Beside the title, such as a number. */
  readonly note?: string | number | undefined
}

/** The tab that the address names (`?tab=`), otherwise the first one. */
export function tabOf (tabs: readonly Tab[], name = 'tab'): string {
  const asked = route.value.query[name]
  return tabs.some(({ id }) => id === asked) ? asked as string : tabs[0]?.id ?? ''
}

/** Facets of one thing, as links: each one has an address. */
export function Tabs ({ tabs, label, name = 'tab' }: { readonly tabs: readonly Tab[], readonly label: string, readonly name?: string }): VNode {
  const current = tabOf(tabs, name)
  const { path, query } = route.value
  return html`<nav class="tabs" aria-label=${label}>${tabs.map(({ id, title, note }) => html`<a href=${href(path, { ...query, [name]: id })} class=${classes(id === current && 'current')} aria-current=${id === current ? 'true' : undefined}>${title}${note !== undefined && html`<span class="note">${note}</span>`}</a>`)}</nav>`
}
