import { Icon } from '../../parts/icon.ts'
import { classes, html, useEffect, useId, useRef, useState } from '../../kit/html.ts'
import { count } from '../../kit/number.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'

const SUGGESTED = 12
const TYPING_MS = 200

interface SymbolRow { readonly symbol: string, readonly rows: number }

/** Symbols of a dataset, typed or found; none means all. Enter or a comma takes what is typed, Backspace the last one away. */
export function SymbolsField ({ dataset, symbols, onChange, label = 'Symbols' }: { readonly dataset: string, readonly symbols: readonly string[], readonly onChange: (symbols: readonly string[]) => void, readonly label?: string }): VNode {
  const id = useId()
  const [typed, setTyped] = useState('')
  const [open, setOpen] = useState(false)
  const [at, setAt] = useState(-1)
  const found = useSymbols(open ? dataset : undefined, typed).filter(({ symbol }) => !symbols.includes(symbol))
  const add = (names: readonly string[]): void => {
    onChange([...new Set([...symbols, ...names.map(name => name.trim()).filter(name => name !== '')])])
    setTyped('')
    setAt(-1)
  }
  const onInput = (event: Event): void => {
    const text = (event.target as HTMLInputElement).value
    setOpen(true)
    setAt(-1)
    if (/[,\s;]/.test(text)) add(text.split(/[,\s;]+/))
    else setTyped(text)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') {
      setOpen(true)
      setAt(Math.min(found.length - 1, at + 1))
    } else if (event.key === 'ArrowUp') setAt(Math.max(-1, at - 1))
    else if (event.key === 'Enter' && !event.ctrlKey && (at >= 0 || typed !== '')) add([found[at]?.symbol ?? typed])
    else if (event.key === 'Backspace' && typed === '' && symbols.length > 0) onChange(symbols.slice(0, -1))
    else if (event.key === 'Escape' && open) setOpen(false)
    else return
    event.preventDefault()
  }
  return html`<div class="field symbols">
    <label for=${id}>${label}</label>
    <div class="tokens">
      ${symbols.map(symbol => html`<span class="token" key=${symbol}>${symbol}<button type="button" class="icon-only" aria-label=${`Take ${symbol} away`} onClick=${() => onChange(symbols.filter(one => one !== symbol))}><${Icon} name="close" size=${10} /></button></span>`)}
      <input id=${id} type="text" role="combobox" autocomplete="off" spellcheck=${false} aria-expanded=${open && found.length > 0} aria-controls=${`${id}-list`} aria-autocomplete="list" aria-activedescendant=${at >= 0 ? `${id}-${at}` : undefined}
        placeholder=${symbols.length === 0 ? 'all' : 'more…'} value=${typed} onInput=${onInput} onKeyDown=${onKeyDown} onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)} />
    </div>
    <ul id=${`${id}-list`} role="listbox" aria-label="Symbols that there are" class="suggestions" hidden=${!open || found.length === 0}>${found.map(({ symbol, rows }, i) => html`<li id=${`${id}-${i}`} key=${symbol} role="option" aria-selected=${i === at} class=${classes(i === at && 'current')} onPointerDown=${(event: Event) => { event.preventDefault(); add([symbol]) }}><span>${symbol}</span><span class="faint small">${count(rows)} rows</span></li>`)}</ul>
  </div>`
}

function useSymbols (dataset: string | undefined, typed: string): readonly SymbolRow[] {
  const [asked, setAsked] = useState(typed)
  useEffect(() => {
    const timer = setTimeout(() => setAsked(typed), TYPING_MS)
    return () => clearTimeout(timer)
  }, [typed])
  const path = dataset === undefined || dataset === '' ? undefined : `/v1/datasets/${encodeURIComponent(dataset)}/symbols?limit=${SUGGESTED * 4}${asked === '' ? '' : `&q=${encodeURIComponent(asked)}`}`
  const words = typed.toLowerCase()
  const { data } = useResource<{ symbols: readonly SymbolRow[] }>(path)
  // While those of what is typed now are on their way, those that were there can still be chosen.
  const last = useRef<{ readonly dataset: string | undefined, readonly symbols: readonly SymbolRow[] }>({ dataset, symbols: [] })
  if (data !== undefined || last.current.dataset !== dataset) last.current = { dataset, symbols: data?.symbols ?? [] }
  return last.current.symbols.filter(({ symbol }) => symbol.toLowerCase().includes(words)).slice(0, SUGGESTED)
}
