// Keys. Single ones do nothing while something is typed.

import { paletteOpen } from './palette.ts'
import { Dialog } from '../parts/dialog.ts'
import { html, signal, useEffect } from '../kit/html.ts'
import { go } from '../kit/route.ts'
import { pages } from '../pages.ts'
import type { VNode } from '../kit/html.ts'

const helpOpen = signal(false)
/** After g, the key of a page is waited for so long. */
const CHORD_MS = 1500

export function useShortcuts (): void {
  useEffect(() => {
    let chordUntil = 0
    const onKey = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        paletteOpen.value = !paletteOpen.value
        return
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector('dialog[open]') !== null) return
      const chord = chordUntil > performance.now()
      chordUntil = 0
      const page = chord ? pages.find(({ key }) => key === event.key) : undefined
      if (page !== undefined) go([page.id])
      else if (event.key === 'g') chordUntil = performance.now() + CHORD_MS
      else if (event.key === '/') focusSearch()
      else if (event.key === '?') helpOpen.value = true
      else if (event.key === 'j' || event.key === 'k') moveRow(event.key === 'j' ? 1 : -1)
      else return
      event.preventDefault()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
}

function isTyping (target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
}

/** The search of the page, or else the palette. */
function focusSearch (): void {
  const search = document.querySelector<HTMLElement>('main input[type=search]')
  if (search === null) paletteOpen.value = true
  else search.focus()
}

/** Moves among the rows of tables, by the first thing in each that can be used. */
function moveRow (step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')]
  const at = rows.findIndex(row => row.contains(document.activeElement))
  const row = rows[at < 0 ? (step === 1 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))]
  const target = row?.querySelector<HTMLElement>('a, button')
  if (target === null || target === undefined) return row?.setAttribute('tabindex', '-1')
  target.focus()
}

export function ShortcutHelp (): VNode | null {
  if (!helpOpen.value) return null
  const keys: ReadonlyArray<readonly [string, string]> = [
    ['Ctrl K', 'Find anything'], ['/', 'Search on this page'], ['j  k', 'Next and previous row'], ['?', 'This list'], ['Esc', 'Close'],
    ...pages.map(({ key, title }) => [`g ${key}`, title] as const)
  ]
  return html`<${Dialog} title="Keys" onClose=${() => { helpOpen.value = false }}><dl class="keys">${keys.map(([key, what]) => html`<div><dt>${key.split(/ +/).map(one => html`<kbd>${one}</kbd>`)}</dt><dd>${what}</dd></div>`)}</dl></${Dialog}>`
}

export function showKeys (): void {
  helpOpen.value = true
}
