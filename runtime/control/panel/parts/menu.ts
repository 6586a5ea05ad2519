import { Icon } from './icon.ts'
import { say } from './toast.ts'
import { html, useEffect, useId, useRef, useState } from '../kit/html.ts'
import type { IconName } from './icon.ts'
import type { VNode } from '../kit/html.ts'

export interface MenuItem {
  readonly label: string
  readonly icon?: IconName
  readonly onSelect: () => unknown
}

/** A button that opens a list of things to do; arrow keys, Escape. */
export function Menu ({ label, icon, items }: { readonly label: string, readonly icon?: IconName, readonly items: readonly MenuItem[] }): VNode {
  const id = useId()
  const [open, setOpen] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (!open) return
    root.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus()
    const outside = (event: Event): void => { if (!(root.current?.contains(event.target as Node) ?? false)) setOpen(false) }
    document.addEventListener('pointerdown', outside)
    return () => document.removeEventListener('pointerdown', outside)
  }, [open])
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!open) return
    const buttons = [...root.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? []]
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0) buttons[(buttons.indexOf(document.activeElement as HTMLElement) + step + buttons.length) % buttons.length]?.focus()
    else if (event.key === 'Escape' || event.key === 'Tab') {
      setOpen(false)
      if (event.key === 'Escape') root.current?.querySelector('button')?.focus()
      return
    } else return
    event.preventDefault()
  }
  const select = (item: MenuItem): void => {
    setOpen(false)
    root.current?.querySelector('button')?.focus()
    item.onSelect()
  }
  return html`<div class="menu" ref=${root} onKeyDown=${onKeyDown}>
    <button type="button" aria-haspopup="menu" aria-expanded=${open} aria-controls=${open ? id : undefined} onClick=${() => setOpen(!open)}>${icon !== undefined && html`<${Icon} name=${icon} />`}${label}<${Icon} name="down" size=${12} /></button>
    ${open && html`<div id=${id} role="menu" aria-label=${label}>${items.map(item => html`<button type="button" role="menuitem" tabindex="-1" onClick=${() => select(item)}>${item.icon !== undefined && html`<${Icon} name=${item.icon} />`}${item.label}</button>`)}</div>`}
  </div>`
}

/** Copies a text and says so. */
export async function copy (text: string, what = 'It'): Promise<void> {
  await navigator.clipboard.writeText(text)
  say(`${what} is in the clipboard.`)
}

/** `Copy as`: each form is made when it is asked for. */
export function CopyAs ({ forms }: { readonly forms: ReadonlyArray<{ readonly label: string, readonly text: () => string }> }): VNode {
  return html`<${Menu} label="Copy as" icon="copy" items=${forms.map(({ label, text }) => ({ label, onSelect: () => copy(text(), label) }))} />`
}

/** An icon that copies one text. */
export function CopyButton ({ text, what }: { readonly text: string, readonly what: string }): VNode {
  return html`<button type="button" class="icon-only" aria-label=${`Copy ${what}`} title=${`Copy ${what}`} onClick=${() => copy(text, what)}><${Icon} name="copy" size=${14} /></button>`
}
