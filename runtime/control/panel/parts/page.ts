import { html, useEffect } from '../kit/html.ts'
import { signal } from '@preact/signals'
import { Icon } from './icon.ts'
import { href } from '../kit/route.ts'
import type { ComponentChildren, VNode } from '../kit/html.ts'

/** Of the page that is shown; read out when the page changes, and in the title of the window. */
export const title = signal('')

/** The head of a page: where it is, what it is, what can be done with it. */
export function Page ({ name, crumbs = [], mark, note, actions, children }: {
  readonly name: string
  readonly crumbs?: ReadonlyArray<{ readonly title: string, readonly path: readonly string[] }>
  readonly mark?: ComponentChildren
  readonly note?: ComponentChildren
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
}): VNode {
  useEffect(() => {
    title.value = name
    document.title = `${name} · Twolane`
  }, [name])
  return html`<div class="page">
    <header class="page-head">
      <div>
        ${crumbs.length > 0 && html`<nav class="crumbs" aria-label="Where this is">${crumbs.map(({ title, path }) => html`<a href=${href(path)}>${title}</a><${Icon} name="chevron" size=${10} />`)}</nav>`}
        <h1>${name} ${mark}</h1>
        ${note !== undefined && html`<p class="faint">${note}</p>`}
      </div>
      ${actions !== undefined && html`<div class="buttons">${actions}</div>`}
    </header>
    ${children}
  </div>`
}

/** A part of a page with a title. */
export function Section ({ title, note, actions, children, plain = false, id }: {
  readonly title: string
  readonly note?: ComponentChildren
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
  readonly plain?: boolean
  readonly id?: string
}): VNode {
  return html`<section class=${plain ? 'section plain' : 'section'} id=${id}>
    <header><h2>${title}</h2>${note !== undefined && html`<span class="faint small">${note}</span>`}${actions !== undefined && html`<div class="buttons end">${actions}</div>`}</header>
    <div class="section-body">${children}</div>
  </section>`
}

/** Names with values. */
export function Facts ({ facts }: { readonly facts: ReadonlyArray<readonly [name: string, value: ComponentChildren]> }): VNode {
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}
