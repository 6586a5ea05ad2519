import { html, useEffect, useId, useRef, useState } from '../kit/html.ts'
import { Icon } from './icon.ts'
import type { ComponentChildren, VNode } from '../kit/html.ts'

/** A modal dialog: the rest of the page is inert while it is open, Escape closes it, and focus goes back afterwards. */
export function Dialog ({ title, onClose, children, wide = false }: { readonly title: string, readonly onClose: () => void, readonly children: ComponentChildren, readonly wide?: boolean }): VNode {
  const id = useId()
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = element.current
    dialog?.showModal()
    return () => dialog?.close()
  }, [])
  // A click beside a form is a slip, and would lose what was typed.
  const outside = (event: MouseEvent): void => { if (event.target === element.current && element.current?.querySelector('form') === null) onClose() }
  return html`<dialog ref=${element} class=${wide ? 'wide' : ''} aria-labelledby=${id} onCancel=${(event: Event) => { event.preventDefault(); onClose() }} onClick=${outside}>
    <header><h2 id=${id}>${title}</h2><button type="button" class="icon-only" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></header>
    <div class="dialog-body">${children}</div>
  </dialog>`
}

/** Asks before something is done; it stays open where `onConfirm` rejects, and what went wrong is for `children` to say. With `name`, that name has to be typed: for what cannot be taken back. */
export function Confirm ({ title, name, button, danger = false, disabled = false, onConfirm, onClose, children }: {
  readonly title: string
  readonly name?: string
  readonly button: string
  readonly danger?: boolean
  /** It cannot be done yet. */
  readonly disabled?: boolean
  readonly onConfirm: () => Promise<unknown> | unknown
  readonly onClose: () => void
  readonly children?: ComponentChildren
}): VNode {
  const id = useId()
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    try {
      await onConfirm()
      onClose()
    } catch {
      // Whoever opened it has said in it what went wrong.
    } finally {
      setBusy(false)
    }
  }
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form onSubmit=${submit}>
      ${children}
      ${name !== undefined && html`<div class="field"><label for=${id}>Type <code>${name}</code> to confirm</label><input id=${id} autocomplete="off" spellcheck=${false} value=${typed} onInput=${(event: InputEvent) => setTyped((event.target as HTMLInputElement).value)} /></div>`}
      <div class="buttons end"><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class=${danger ? 'danger' : 'primary'} disabled=${disabled || busy || (name !== undefined && typed !== name)}>${button}</button></div>
    </form>
  </${Dialog}>`
}
