// Who reads a topic or a dataset: as long as somebody does, it is not torn down.

import { join } from 'node:path'
import { readModels } from '../clickhouse/models.ts'
import { SavedQueries } from '../queries/saved.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import { schemasOf } from './effects.ts'
import { listFiles, readText } from './project-files.ts'
import type { Platform } from '../platform.ts'

/** A sentence each. */
export async function readersOfTopic ({ supervisor }: Platform, topic: string): Promise<string[]> {
  const pipelines = [...supervisor.files.pipelines.values(), ...supervisor.definitions()]
  const using = pipelines.filter(pipeline => schemasOf(pipeline).includes(topic) || JSON.stringify([pipeline.input?.config, ...pipeline.outputs.map(({ config }) => config)]).includes(JSON.stringify(topic)))
  return [...new Set(using.map(({ id }) => `the pipeline ${id}`))]
}

/** A sentence each. */
export async function readersOfDataset (platform: Platform, dataset: string): Promise<string[]> {
  const { supervisor, root } = platform
  const feeds = datasetsOf([...supervisor.files.pipelines.values()].filter(({ enabled }) => enabled), supervisor.schemas).get(dataset)?.feeds.values() ?? []
  const direct = [...supervisor.files.pipelines.values()].filter(({ enabled, topic, outputs }) => enabled && outputs.some(({ plugin, config }) => plugin === 'warehouse' && String(config['table'] ?? config['schema'] ?? topic) === dataset))
  const models = (await readModels(join(root, 'schemas', 'models'))).filter(({ tables }) => tables.includes(dataset))
  return [
    ...new Set([...[...feeds].map(({ pipeline }) => pipeline), ...direct.map(({ id }) => id)].map(id => `the pipeline ${id} stores rows in it`)),
    ...models.map(({ name }) => `the model schemas/models/${name}.sql`),
    ...await settingsThatName(root, dataset),
    ...savedQueries(platform, dataset)
  ]
}

/** Alert rules and the like. */
async function settingsThatName (root: string, dataset: string): Promise<string[]> {
  const found: string[] = []
  const name = new RegExp(`(?<![\\w-])${dataset.replaceAll('.', '\\.')}(?![\\w-])`)
  for (const { path, kind } of await listFiles(root)) {
    if (kind !== 'config' || path === 'config/platform.yaml' || path.startsWith('config/calendars/')) continue
    const lines = (await readText(root, path) ?? '').split('\n')
    if (lines.some(line => name.test(line.replace(/#.*$/, '')))) found.push(path)
  }
  return found
}

/** One that is not shared is not told by its name. */
function savedQueries ({ store: { database } }: Platform, dataset: string): string[] {
  return new SavedQueries(database).about(dataset).map(({ slug, owner, shared }) => shared ? `the saved query ${slug}` : `a query that ${owner} has saved`)
}
