// Finds pages, pipelines, jobs, datasets and things to do. What is typed may begin with a kind: `p:`, `j:`, `d:`, `>`.

import { Icon } from '../parts/icon.ts'
import { complain } from '../parts/toast.ts'
import { classes, html, signal, useEffect, useMemo, useRef, useState } from '../kit/html.ts'
import { go } from '../kit/route.ts'
import { may } from '../kit/session.ts'
import { choice } from '../kit/theme.ts'
import { useResource } from '../kit/resource.ts'
import { pages } from '../pages.ts'
import { signOut } from './login.ts'
import { showKeys } from './shortcuts.ts'
import type { VNode } from '../kit/html.ts'
import type { IconName } from '../parts/icon.ts'

export const paletteOpen = signal(false)

const FOUND_MAX = 12

interface Entry { readonly kind: string, readonly prefix: string, readonly icon: IconName, readonly title: string, readonly text?: string | undefined, readonly run: () => unknown }
interface Named { readonly id: string, readonly description?: string }

function useEntries (): Entry[] {
  const reader = may('platform:read')
  const pipelines = useResource<{ pipelines: readonly Named[] }>(reader ? '/v1/pipelines' : undefined).data?.pipelines
  const jobs = useResource<{ jobs: readonly Named[] }>(reader ? '/v1/jobs' : undefined).data?.jobs
  const datasets = useResource<{ datasets: ReadonlyArray<{ dataset: string, title?: string }> }>(may('data:read') && pages.some(({ id }) => id === 'data') ? '/v1/datasets' : undefined).data?.datasets
  return useMemo(() => [
    ...pages.filter(({ scope }) => may(scope)).map(({ id, title, icon }): Entry => ({ kind: 'Page', prefix: '', icon, title, run: () => go([id]) })),
    ...(pipelines ?? []).map(({ id }): Entry => ({ kind: 'Pipeline', prefix: 'p:', icon: 'pipelines', title: id, run: () => go(['pipelines', id]) })),
    ...(jobs ?? []).map(({ id, description }): Entry => ({ kind: 'Job', prefix: 'j:', icon: 'jobs', title: id, text: description, run: () => go(['jobs', id]) })),
    ...(datasets ?? []).map(({ dataset, title }): Entry => ({ kind: 'Dataset', prefix: 'd:', icon: 'data', title: dataset, text: title, run: () => go(['data', dataset]) })),
    ...(['auto', 'light', 'dark'] as const).map((theme): Entry => ({ kind: 'Do', prefix: '>', icon: theme === 'light' ? 'sun' : theme === 'dark' ? 'moon' : 'auto', title: `Colours: ${theme === 'auto' ? 'as the system' : theme}`, run: () => { choice.value = theme } })),
    { kind: 'Do', prefix: '>', icon: 'docs', title: 'Keys', run: showKeys },
    { kind: 'Do', prefix: '>', icon: 'out', title: 'Sign out', run: () => signOut().catch(complain) }
  ], [pipelines, jobs, datasets])
}

export function Palette (): VNode {
  const [typed, setTyped] = useState('')
  const [at, setAt] = useState(0)
  const dialog = useRef<HTMLDialogElement>(null)
  const entries = useEntries()
  const found = useMemo(() => search(entries, typed), [entries, typed])
  const close = (): void => { paletteOpen.value = false }
  useEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])
  const run = (entry: Entry | undefined): void => {
    close()
    entry?.run()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') setAt(Math.min(found.length - 1, at + 1))
    else if (event.key === 'ArrowUp') setAt(Math.max(0, at - 1))
    else if (event.key === 'Enter') run(found[at])
    else return
    event.preventDefault()
  }
  return html`<dialog ref=${dialog} class="palette" aria-label="Find" onCancel=${(event: Event) => { event.preventDefault(); close() }} onClick=${(event: MouseEvent) => { if (event.target === dialog.current) close() }}>
    <div class="palette-input"><${Icon} name="search" /><input type="text" role="combobox" aria-label="Find a page, a pipeline, a job or something to do" aria-expanded="true" aria-controls="palette-list" aria-activedescendant=${found.length > 0 ? `palette-${at}` : undefined} placeholder="Find…" autocomplete="off" spellcheck=${false} value=${typed} onInput=${(event: Event) => { setTyped((event.target as HTMLInputElement).value); setAt(0) }} onKeyDown=${onKeyDown} autofocus /></div>
    <ul id="palette-list" role="listbox" aria-label="Found">${found.map((entry, i) => html`<li id=${`palette-${i}`} role="option" aria-selected=${i === at} class=${classes(i === at && 'current')} onClick=${() => run(entry)} onPointerMove=${() => setAt(i)}><${Icon} name=${entry.icon} /><span>${entry.title}</span><span class="faint small ellipsis">${entry.text}</span><span class="faint small kind">${entry.kind}</span></li>`)}</ul>
    ${found.length === 0 && html`<p class="palette-none faint" role="status">Nothing is called so.</p>`}
    <p class="palette-foot faint small"><span><kbd>p:</kbd> pipelines</span><span><kbd>j:</kbd> jobs</span><span><kbd>d:</kbd> datasets</span><span><kbd>></kbd> things to do</span></p>
  </dialog>`
}

/** Entries that hold all typed words, those that begin with the first one before the others. */
function search (entries: readonly Entry[], typed: string): Entry[] {
  const prefix = ['p:', 'j:', 'd:', '>'].find(one => typed.startsWith(one)) ?? ''
  const words = typed.slice(prefix.length).toLowerCase().split(/\s+/).filter(word => word !== '')
  return entries
    .filter(entry => (prefix === '' || entry.prefix === prefix) && words.every(word => `${entry.title} ${entry.kind} ${entry.text ?? ''}`.toLowerCase().includes(word)))
    .sort((a, b) => Number(b.title.toLowerCase().startsWith(words[0] ?? '')) - Number(a.title.toLowerCase().startsWith(words[0] ?? '')))
    .slice(0, FOUND_MAX)
}
