// The first steps with a new platform, and which of them are done. What is done is told from what there is, so nothing has
// to be ticked off.

import { readText } from './project-files.ts'
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

/** A destination of alerts in their settings. */
async function hasAlerts ({ root }: Platform): Promise<boolean> {
  const text = await readText(root, 'config/alerts.yaml')
  return text !== undefined && /^destinations:\s*\n\s+\S/m.test(text)
}
