import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { act } from '../../parts/toast.ts'
import { post } from '../../kit/api.ts'
import { html } from '../../kit/html.ts'
import { bytes, count, seconds } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'
import type { Job } from '../../kit/shapes.ts'

const EVERY_MS = 4000

interface Kept { readonly id: string, readonly at: string, readonly ms: number, readonly rows: number, readonly bytes: number, readonly left_out: readonly string[], readonly check: { readonly at: string, readonly ok: boolean, readonly detail: string } | null }
interface Backups { readonly place: string, readonly keep: number, readonly backups: readonly Kept[] }

/** The backups that there are; one counts once it has been brought back into a scratch place. */
export function Backup (): VNode {
  const backups = useResource<Backups>('/v1/backups', { every: EVERY_MS })
  const job = useResource<Job>('/v1/jobs/backup', { every: EVERY_MS })
  const running = job.data?.running !== undefined
  const start = (path: string, done: string): Promise<boolean> => act(async () => {
    await post(path, {})
    await Promise.all([refresh('/v1/backups'), refresh('/v1/jobs')])
  }, done)
  const allowed = may('backup:write')
  return html`<${Loaded} of=${backups} lines=${6}>${({ place, keep, backups: found }: Backups) => html`<${Section} title="Backups" note=${place === '' ? undefined : html`in <code>${place}</code>, the newest ${keep} are kept`} actions=${html`${running && html`<a href=${href(['jobs', 'backup'])}><${Mark} level="busy" word="running" /></a>`}${allowed ? html`<button type="button" class="primary" disabled=${place === '' || running} onClick=${() => start('/v1/backups', 'A backup was started.')}><${Icon} name="plus" size=${12} />Make a backup</button>` : html`<span class="faint small"><${Icon} name="lock" size=${12} /> needs backup:write</span>`}`}>
    ${place === ''
      ? html`<${Empty} title="No place for backups is set">Write <code>backup_to</code> with a folder on another disk, or a bucket, into <a href=${href(['setup', 'files'], { file: 'config/platform.yaml' })}>config/platform.yaml</a>, and start the platform again.</${Empty}>`
      : html`<${Table} label="Backups" rows=${found} keyOf=${({ id }: Kept) => id} empty=${{ title: 'There is no backup yet', text: 'The first one has everything; later ones share what has not changed.' }}
          detail=${({ id, left_out: leftOut, check }: Kept) => html`<p>Id <code>${id}</code>.${check !== null && ` The check said: ${check.detail}.`}</p>${leftOut.length > 0 && html`<p>Not in it:</p><ul>${leftOut.map(one => html`<li>${one}</li>`)}</ul>`}<p class="faint small">To bring it back: <code>npx twolane restore</code>.</p>`} columns=${[
            { id: 'at', title: 'Of', value: ({ at }: Kept) => at, cell: ({ at }: Kept) => html`<${Time} at=${at} as="both" />` },
            { id: 'check', title: 'Brought back', cell: ({ check }: Kept) => check === null ? html`<${Mark} level="warn" word="never tried" />` : html`<${Mark} level=${check.ok ? 'ok' : 'bad'} word=${check.ok ? 'it is whole' : 'it failed'} /> <span class="faint small"><${Time} at=${check.at} /></span>` },
            { id: 'rows', title: 'Rows', right: true, wide: true, value: ({ rows }: Kept) => rows, cell: ({ rows }: Kept) => count(rows) },
            { id: 'bytes', title: 'Stored', right: true, wide: true, value: (one: Kept) => one.bytes, cell: (one: Kept) => bytes(one.bytes) },
            { id: 'ms', title: 'Took', right: true, wide: true, value: ({ ms }: Kept) => ms, cell: ({ ms }: Kept) => seconds(ms / 1000) },
            { id: 'do', title: '', grow: true, cell: ({ id, at }: Kept) => allowed && html`<div class="buttons end"><button type="button" class="small" disabled=${running} aria-label=${`Verify the backup of ${at}`} onClick=${() => start(`/v1/backups/${id}/verify`, 'It is brought back into a scratch place.')}>Verify</button></div>` }
          ]} />`}
  </${Section}>`}</${Loaded}>`
}
