import { CopyButton } from './menu.ts'
import { classes, html } from '../kit/html.ts'
import type { VNode } from '../kit/html.ts'

/** Text of a file or a command. Names, texts and comments are told apart; nothing in it is markup. */
export function Code ({ text, language = 'text', what = 'the text' }: { readonly text: string, readonly language?: 'yaml' | 'json' | 'sql' | 'shell' | 'python' | 'text', readonly what?: string }): VNode {
  return html`<div class="code"><${CopyButton} text=${text} what=${what} /><pre tabindex="0" role="region" aria-label=${what}>${tokens(text, language).map(([kind, part]) => kind === '' ? part : html`<span class=${kind}>${part}</span>`)}</pre></div>`
}

const TOKENS_CHARS_MAX = 60_000
const forms: Readonly<Record<string, RegExp>> = {
  yaml: /(?<comment>(?:^|(?<=\s))#.*$)|(?<name>^[ \t]*(?:- )*[\w./$-]+(?=:(?:\s|$))|[\w./$-]+(?=: ))|(?<string>"(?:[^"\\\n]|\\.)*"|'[^'\n]*')/gm,
  json: /(?<name>"(?:[^"\\\n]|\\.)*"(?=\s*:))|(?<string>"(?:[^"\\\n]|\\.)*")/g,
  sql: /(?<comment>--.*$)|(?<string>'(?:[^'\\]|\\.)*')|(?<name>\b(?:SELECT|FROM|WHERE|ORDER|GROUP|BY|LIMIT|AS|AND|OR|JOIN|ON|CREATE|VIEW|WITH|DESC|ASC|HAVING|UNION|ALL|IN|NOT)\b)/gm,
  shell: /(?<comment>(?:^|(?<=\s))#.*$)|(?<string>"(?:[^"\\]|\\.)*"|'[^']*')|(?<name>^(?:curl|npx|npm|pip|python3?)\b)/gm,
  python: /(?<comment>#.*$)|(?<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?<name>\b(?:import|from|as|for|in|def|return|if|else|print|True|False|None)\b)/gm
}

/** Parts of the text in order, each with the class that it is shown in. */
function tokens (text: string, language: string): Array<readonly [kind: string, part: string]> {
  const form = forms[language]
  if (form === undefined || text.length > TOKENS_CHARS_MAX) return [['', text]]
  const found: Array<readonly [string, string]> = []
  let end = 0
  for (const match of text.matchAll(form)) {
    if (match.index > end) found.push(['', text.slice(end, match.index)])
    const kind = Object.entries(match.groups ?? {}).find(([, part]) => part !== undefined)?.[0] ?? ''
    found.push([kind, match[0]])
    end = match.index + match[0].length
  }
  if (end < text.length) found.push(['', text.slice(end)])
  return found
}

/** A difference in unified form, line by line; what was added and taken away is told by sign and colour. */
export function Diff ({ unified, what = 'the difference' }: { readonly unified: string, readonly what?: string }): VNode {
  const lines = unified.replace(/\n$/, '').split('\n').filter(line => !/^(?:Index:|={5,}|\\ No newline)/.test(line))
  return html`<div class="code diff"><pre tabindex="0" role="region" aria-label=${what}>${lines.map(line => {
    const kind = /^(?:\+\+\+|---|@@)/.test(line) ? 'place' : line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : ''
    return html`<span class=${classes('line', kind)}>${line}${'\n'}</span>`
  })}</pre></div>`
}
