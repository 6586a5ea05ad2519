// Who changed what, who was let in and who was refused: append-only, and chained by hashes.

import { save } from '../setup/files.ts'
import { Code } from '../../parts/code.ts'
import { Labelled } from '../../parts/form.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Loaded, ProblemBox } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { act } from '../../parts/toast.ts'
import { Typed } from '../../parts/typed.ts'
import { addressOf, get, problemOf, send } from '../../kit/api.ts'
import { html, useEffect, useState } from '../../kit/html.ts'
import { count } from '../../kit/number.ts'
import { route, setQuery } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { Control } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 10_000
const ENTRIES = 100
/** Older ones are for the export. */
const SHOWN_MAX = 2000

interface Entry { readonly seq: number, readonly at: string, readonly user: string | null, readonly token: string | null, readonly address: string | null, readonly action: string, readonly target: string, readonly outcome: 'ok' | 'refused' | 'failed', readonly detail: Readonly<Record<string, unknown>>, readonly hash: string }
interface Entries { readonly entries: readonly Entry[], readonly next: number | null }

export function AuditLog (): VNode {
  const { user, action, outcome, from, to } = route.value.query
  const path = addressOf('/v1/audit', { user, action, outcome, from, to, limit: ENTRIES })
  const first = useResource<Entries>(path, { every: EVERY_MS })
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  return html`<${Section} title="Audit log" note="newest first, UTC" actions=${html`<${Verify} /><button type="button" class="small" onClick=${download}><${Icon} name="down" size=${12} />Export all</button>`}>
    <div class="filters top narrow padded">
      <${Labelled} label="User">${(control: Control) => html`<${Typed} ...${control} type="search" autocomplete="off" value=${user ?? ''} onChange=${(user: string) => setQuery({ user })} />`}</${Labelled}>
      <${Labelled} label="Action" hint="how it begins, such as token">${(control: Control) => html`<${Typed} ...${control} type="search" autocomplete="off" value=${action ?? ''} onChange=${(action: string) => setQuery({ action })} />`}</${Labelled}>
      <${Labelled} label="Outcome">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ outcome: valueOf(event) })}>${['', 'ok', 'refused', 'failed'].map(one => html`<option value=${one} selected=${one === (outcome ?? '')}>${one === '' ? 'all' : one}</option>`)}</select>`}</${Labelled}>
      <${Labelled} label="From">${(control: Control) => html`<input ...${control} type="date" value=${from ?? ''} onChange=${(event: Event) => setQuery({ from: valueOf(event) })} />`}</${Labelled}>
      <${Labelled} label="Before">${(control: Control) => html`<input ...${control} type="date" value=${to ?? ''} onChange=${(event: Event) => setQuery({ to: valueOf(event) })} />`}</${Labelled}>
    </div>
    <${Loaded} of=${first} lines=${8}>${(found: Entries) => html`<${List} key=${path} path=${path} first=${found} />`}</${Loaded}>
  </${Section}>`
}

function List ({ path, first }: { readonly path: string, readonly first: Entries }): VNode {
  const [older, setOlder] = useState<Entries>()
  const [problem, setProblem] = useState<Problem>()
  // New entries push old ones off the first page: none of them may get lost between it and what was fetched before.
  const [kept, setKept] = useState<readonly Entry[]>([])
  useEffect(() => setKept(before => join(first.entries, before)), [first])
  const all = join(kept, older?.entries ?? [])
  const next = older === undefined ? first.next : older.next
  const more = (): void => {
    get<Entries>(addressOf(path, { before: next ?? undefined })).then(found => setOlder({ entries: join(older?.entries ?? [], found.entries), next: found.next }), (error: unknown) => setProblem(problemOf(error)))
  }
  return html`
    <${Table} label="Entries of the audit log" rows=${all} keyOf=${({ seq }: Entry) => String(seq)} empty=${{ title: 'No entry fits', text: 'Every change and every refusal comes here.' }}
      detail=${({ seq, token, address, detail, hash }: Entry) => html`<p class="small">Entry ${seq}${address !== null && ` from ${address}`}${token !== null && ` with the token ${token}`}. Hash <code class="hash">${hash}</code></p>${Object.keys(detail).length > 0 && html`<${Code} text=${JSON.stringify(detail, null, 2)} language="json" what="the detail" />`}`} columns=${[
        { id: 'at', title: 'When', cell: ({ at }: Entry) => html`<${Time} at=${at} as="clock" />` },
        { id: 'user', title: 'User', cell: ({ user, token }: Entry) => html`${user ?? html`<span class="faint">nobody known</span>`}${token !== null && html` <span class="tag">token</span>`}` },
        { id: 'action', title: 'Action', cell: ({ action }: Entry) => html`<code>${action}</code>` },
        { id: 'target', title: 'On', grow: true, cell: ({ target }: Entry) => target },
        { id: 'outcome', title: 'Outcome', cell: ({ outcome }: Entry) => html`<${Mark} state=${outcome} quiet=${outcome === 'ok'} />` }
      ]} />
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    ${next !== null && html`<div class="padded buttons">${all.length < SHOWN_MAX ? html`<button type="button" onClick=${more}>Show older ones</button>` : html`<span class="faint">The export has the rest.</span>`}</div>`}`
}

/** Both in order, each entry once. */
function join (newer: readonly Entry[], older: readonly Entry[]): readonly Entry[] {
  const known = new Set(newer.map(({ seq }) => seq))
  return [...newer, ...older.filter(({ seq }) => !known.has(seq))].sort((a, b) => b.seq - a.seq).slice(0, SHOWN_MAX)
}

function Verify (): VNode {
  const [found, setFound] = useState<{ readonly ok: boolean, readonly entries: number, readonly broken_at: number | null }>()
  const verify = (): void => { void act(async () => { setFound(await get('/v1/audit/verify')) }, 'The chain was verified.') }
  return html`<span aria-live="polite">${found !== undefined && html`<${Mark} level=${found.ok ? 'ok' : 'bad'} word=${found.ok ? `the chain of ${count(found.entries)} entries is whole` : `broken at entry ${found.broken_at}`} />`}</span><button type="button" class="small" onClick=${verify}><${Icon} name="quality" size=${12} />Verify the chain</button>`
}

function download (): void {
  void act(async () => { save(await (await send('GET', '/v1/audit/export')).blob(), 'audit.ndjson') }, 'The audit log was exported; npx twolane audit verify checks the file.')
}
