// The first steps with a new platform, and which of them are done. What is done is told from what there is, so nothing has
// to be ticked off.

import { ALERTS_FILE } from '../alerts/alert-file.ts'
import { collect } from '../problems.ts'
import { readYaml } from '../yaml.ts'
import { readText } from './project-files.ts'
import type { Json } from '../plugin.ts'
import type { Platform } from '../platform.ts'

export interface GuideStep {
  readonly step: 'admin' | 'source' | 'rows' | 'destination' | 'backup' | 'alert'
  readonly title: string
  readonly done: boolean
  /** Where in the page it is done. */
  readonly where: string
}

export async function guideSteps (platform: Platform): Promise<GuideStep[]> {
  const { supervisor, store: { database }, broker } = platform
  // The platform's own canary is no source that somebody has added.
  const pipelines = [...supervisor.files.pipelines.values()].filter(({ id, enabled }) => enabled && id !== 'canary')
  const sources = pipelines.filter(({ input }) => input !== undefined)
  const states = await Promise.all([...new Set(sources.map(({ topic }) => topic))].map(topic => broker.inspect(topic)))
  const hasRows = states.some(state => state?.partitions.some(({ first, next }) => next > first) === true)
  const count = (table: string): number => {
    const known = database.prepare('select count(*) as n from sqlite_master where type = ? and name = ?').get('table', table) as { n: number }
    return known.n === 0 ? 0 : (database.prepare(`select count(*) as n from ${table}`).get() as { n: number }).n
  }
  return [
    { step: 'admin', title: 'Make the first user', done: count('access_users') > 0, where: '#/access' },
    { step: 'source', title: 'Add a source', done: sources.length > 0, where: '#/setup/sources/new' },
    { step: 'rows', title: 'See its first rows', done: hasRows, where: '#/pipelines' },
    { step: 'destination', title: 'Add a destination', done: pipelines.some(({ outputs }) => outputs.length > 0), where: '#/setup/destinations/new' },
    { step: 'backup', title: 'Set a place for backups, and make the first one', done: count('backups') > 0, where: '#/setup/backup' },
    { step: 'alert', title: 'Say who is told when something fails', done: await hasAlerts(platform), where: '#/setup/alerts' }
  ]
}

/** Whether a rule of config/alerts.yaml tells somebody. Its variables need not be set here. */
async function hasAlerts ({ root }: Platform): Promise<boolean> {
  const text = await readText(root, ALERTS_FILE) ?? ''
  const parsed: { value?: Json } = {}
  collect([], () => { parsed.value = readYaml(ALERTS_FILE, text).value })
  const { destinations, rules } = (parsed.value ?? {}) as { destinations?: unknown, rules?: unknown }
  const names = listOf(destinations).map(({ name }) => name)
  return listOf(rules).some(({ to }) => Array.isArray(to) && to.some(name => names.includes(name)))
}

function listOf (value: unknown): Array<Readonly<Record<string, unknown>>> {
  return Array.isArray(value) ? value.filter(one => typeof one === 'object' && one !== null) : []
}
