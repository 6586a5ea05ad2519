import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { act } from '../../parts/toast.ts'
import { post } from '../../kit/api.ts'
import { html } from '../../kit/html.ts'
import { plural, seconds } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'
import type { Job } from '../../kit/shapes.ts'

const EVERY_MS = 3000

interface Test { readonly test: string, readonly title: string, readonly state: 'ok' | 'failed' | 'skipped', readonly ms: number, readonly detail: string, readonly at: string | null }

/** The tests of the platform as a whole, with the newest result of each. */
export function PlatformTests (): VNode {
  const tests = useResource<{ tests: readonly Test[] }>('/v1/tests', { every: EVERY_MS })
  const job = useResource<Job>('/v1/jobs/tests', { every: EVERY_MS })
  const running = job.data?.running !== undefined
  const run = (only?: string): Promise<boolean> => act(async () => {
    await post('/v1/tests/run', only === undefined ? {} : { only: [only] })
    await Promise.all([refresh('/v1/tests'), refresh('/v1/jobs')])
  }, only === undefined ? 'The tests run.' : `The test ${only} runs.`)
  return html`<${Loaded} of=${tests} lines=${8}>${({ tests: found }: { tests: readonly Test[] }) => {
    const failed = found.filter(({ state }) => state === 'failed').length
    return html`<${Section} title="Tests of the platform" note=${failed > 0 ? `${plural(failed, 'test')} failed` : 'the quick ones run after each reload, too'} actions=${html`${running && html`<${Mark} level="busy" word="running" />`}<a class="button small" href=${href(['jobs', 'tests'])}>Runs</a>${may('jobs:run') ? html`<button type="button" class="primary" disabled=${running} onClick=${() => run()}><${Icon} name="play" size=${12} />Run all</button>` : html`<span class="faint small"><${Icon} name="lock" size=${12} /> needs jobs:run</span>`}`}>
      <${Table} label="Tests of the platform" name="tests" rows=${found} keyOf=${({ test }: Test) => test} columns=${[
        { id: 'state', title: 'State', value: ({ state, at }: Test) => at === null ? 'not run' : state, cell: ({ state, at }: Test) => html`<${Mark} level=${state === 'ok' ? 'ok' : state === 'failed' ? 'bad' : 'idle'} word=${at === null ? 'not run yet' : state} />` },
        { id: 'title', title: 'Test', value: ({ title }: Test) => title },
        { id: 'detail', title: 'What it found', grow: true, cell: ({ detail, at }: Test) => html`<span class="faint">${at === null ? '' : detail}</span>` },
        { id: 'ms', title: 'Took', right: true, wide: true, value: ({ ms }: Test) => ms, cell: ({ ms, at }: Test) => at === null ? '–' : ms < 1000 ? `${ms} ms` : seconds(ms / 1000) },
        { id: 'at', title: 'When', value: ({ at }: Test) => at, cell: ({ at }: Test) => html`<${Time} at=${at} />` },
        { id: 'do', title: '', cell: ({ test, title }: Test) => may('jobs:run') && html`<button type="button" class="small" disabled=${running} aria-label=${`Run: ${title}`} onClick=${() => run(test)}>Run</button>` }
      ]} />
    </${Section}>`
  }}</${Loaded}>`
}
