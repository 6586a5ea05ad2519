import { html, useRef } from '../../kit/html.ts'
import type { VNode } from '../../kit/html.ts'
import type { FileProblem } from './shapes.ts'

/** A text with the numbers of its lines; those that something is wrong with are marked, and said below. */
export function Editor ({ label, text, problems = [], rows = 18, readOnly = false, onInput }: { readonly label: string, readonly text: string, readonly problems?: readonly FileProblem[], readonly rows?: number, readonly readOnly?: boolean, readonly onInput: (text: string) => void }): VNode {
  const gutter = useRef<HTMLPreElement>(null)
  const lines = text.split('\n').length
  const wrong = new Set(problems.map(({ line }) => line))
  const follow = (event: Event): void => { if (gutter.current !== null) gutter.current.scrollTop = (event.target as HTMLElement).scrollTop }
  return html`<div class="editor">
    <pre ref=${gutter} class="gutter" aria-hidden="true">${Array.from({ length: lines }, (_, i) => html`<span class=${wrong.has(i + 1) ? 'wrong' : ''}>${i + 1}${'\n'}</span>`)}</pre>
    <textarea class="mono" aria-label=${label} aria-invalid=${problems.length > 0 ? true : undefined} spellcheck=${false} autocomplete="off" wrap="off" rows=${Math.min(rows, Math.max(6, lines + 1))} readonly=${readOnly} value=${text} onScroll=${follow} onInput=${(event: Event) => onInput((event.target as HTMLTextAreaElement).value)}></textarea>
  </div>
  ${problems.length > 0 && html`<ul class="editor-problems" aria-live="polite">${problems.map(({ line, message, path }) => html`<li>${line > 0 && html`<strong>Line ${line}.</strong>`} ${path !== '' && html`<code>${path}</code>`} ${message}</li>`)}</ul>`}`
}
