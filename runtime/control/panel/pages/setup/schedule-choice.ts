import { Labelled } from '../../parts/form.ts'
import { html } from '../../kit/html.ts'
import type { Options } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

export interface Schedule {
  readonly when: 'always' | 'manual' | 'cron'
  readonly cron: string
  readonly zone: string
}

const words: Readonly<Record<Schedule['when'], string>> = { always: 'all the time', manual: 'started by hand', cron: 'at set times' }

/** When a pipeline works. Only a source that ends can be a job. */
export function ScheduleChoice ({ schedule, bounded, onChange }: { readonly schedule: Schedule, readonly bounded: boolean, readonly onChange: (schedule: Schedule) => void }): VNode {
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  return html`<div class="filters">
    <${Labelled} label="It works" hint=${bounded ? undefined : 'This source never ends, so it is no job.'}>${(control: Control) => html`<select ...${control} onChange=${(event: Event) => onChange({ ...schedule, when: valueOf(event) as Schedule['when'] })}>${(Object.keys(words) as Array<Schedule['when']>).filter(when => bounded || when === 'always').map(when => html`<option value=${when} selected=${when === schedule.when}>${words[when]}</option>`)}</select>`}</${Labelled}>
    ${schedule.when === 'cron' && html`
      <${Labelled} label="Cron" hint="Minute, hour, day, month, day of the week">${(control: Control) => html`<input ...${control} class="mono" value=${schedule.cron} onInput=${(event: Event) => onChange({ ...schedule, cron: valueOf(event) })} />`}</${Labelled}>
      <${Labelled} label="Time zone" hint="Such as America/New_York">${(control: Control) => html`<input ...${control} value=${schedule.zone} onInput=${(event: Event) => onChange({ ...schedule, zone: valueOf(event) })} />`}</${Labelled}>`}
  </div>`
}

/** As it stands in a pipeline; nothing for one that works all the time. */
export function scheduleOf ({ when, cron, zone }: Schedule): Options {
  if (when === 'always') return {}
  return { schedule: when === 'manual' ? 'manual' : { cron, ...(zone !== '' && zone !== 'UTC' && { time_zone: zone }) } }
}
