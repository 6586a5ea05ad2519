import { downloadFile } from './download.ts'
import { Confirm } from '../../parts/dialog.ts'
import { CopyButton } from '../../parts/menu.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { act, complain } from '../../parts/toast.ts'
import { remove } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { bytes, count } from '../../kit/number.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 2000

interface ExportFile { readonly name: string, readonly bytes: number, readonly sha256: string, readonly rows: number, readonly url: string }
interface Export { readonly id: string, readonly spec: Readonly<Record<string, unknown>>, readonly format: string, readonly state: string, readonly reason?: string, readonly rows: number, readonly bytes: number, readonly files: readonly ExportFile[], readonly created_at: string, readonly expires_at?: string | null }

/** Files that were asked for: how far they are, and where they can be had. */
export function ExportList (): VNode {
  const all = useResource<{ exports: readonly Export[] }>('/v1/exports', { every: EVERY_MS })
  const [asks, setAsks] = useState<Export>()
  return html`<${Section} title="Exports" note="files that were made in the background, newest first">
    <${Loaded} of=${all}>${({ exports }: { exports: readonly Export[] }) => html`<${Table} label="Exports" rows=${exports} keyOf=${({ id }: Export) => id} detail=${(one: Export) => html`<${Files} one=${one} />`}
      empty=${{ title: 'No exports', text: 'Build a question, and choose Download, Export. Files stay for a while, and can be fetched in parts.' }} columns=${[
        { id: 'what', title: 'What', cell: ({ spec, format }: Export) => html`<strong>${String(spec['dataset'])}</strong> <span class="tag">${format}</span>` },
        { id: 'state', title: 'State', value: ({ state }: Export) => state, cell: ({ state }: Export) => html`<${Mark} state=${state} />` },
        { id: 'rows', title: 'Rows', right: true, value: ({ rows }: Export) => rows, cell: ({ rows }: Export) => count(rows) },
        { id: 'bytes', title: 'Size', right: true, wide: true, value: (one: Export) => one.bytes, cell: (one: Export) => bytes(one.bytes) },
        { id: 'created', title: 'Asked for', wide: true, value: (one: Export) => one.created_at, cell: (one: Export) => html`<${Time} at=${one.created_at} />` },
        { id: 'expires', title: 'Goes', wide: true, value: (one: Export) => one.expires_at, cell: (one: Export) => one.expires_at === null || one.expires_at === undefined ? '–' : html`<${Time} at=${one.expires_at} />` },
        { id: 'do', title: '', cell: (one: Export) => may('queries:write') && html`<button type="button" class="icon-only" aria-label=${`Delete the export of ${String(one.spec['dataset'])}`} title="Delete" onClick=${() => setAsks(one)}><${Icon} name="trash" size=${14} /></button>` }
      ]} />`}</${Loaded}>
    ${asks !== undefined && html`<${Confirm} title="Delete the export?" button="Delete" danger onConfirm=${() => act(async () => { await remove(`/v1/exports/${asks.id}`); await refresh('/v1/exports') }, 'The export is gone.')} onClose=${() => setAsks(undefined)}><p>${['queued', 'running'].includes(asks.state) ? 'It is ended, and what was made of it goes.' : `Its ${asks.files.length === 1 ? 'file goes' : 'files go'}.`}</p></${Confirm}>`}
  </${Section}>`
}

function Files ({ one: { files, reason = '', spec } }: { readonly one: Export }): VNode {
  const fetchOne = (file: ExportFile): void => { downloadFile(file.url, file.name).catch(complain) }
  return html`${reason !== '' && html`<p class="over-text">${reason}</p>`}
    <p class="faint small"><code>${JSON.stringify(spec)}</code></p>
    ${files.length > 0 && html`<${Table} label="Files" rows=${files} keyOf=${({ name }: ExportFile) => name} columns=${[
      { id: 'name', title: 'File', cell: (file: ExportFile) => html`<button type="button" class="small" onClick=${() => fetchOne(file)}><${Icon} name="down" size=${12} />${file.name}</button>` },
      { id: 'rows', title: 'Rows', right: true, cell: ({ rows }: ExportFile) => count(rows) },
      { id: 'bytes', title: 'Size', right: true, cell: (file: ExportFile) => bytes(file.bytes) },
      { id: 'hash', title: 'SHA-256', wide: true, grow: true, cell: ({ sha256, name }: ExportFile) => html`<code>${sha256.slice(0, 16)}…</code> <${CopyButton} text=${sha256} what=${`the hash of ${name}`} />` }
    ]} />`}`
}
