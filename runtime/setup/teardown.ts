// Taking parts of the platform away for good. What goes and what stays is listed first; the name is asked for; and nothing
// goes that somebody still reads. The order is the one in which a crash leaves nothing that points at what is gone: first
// who writes, then who reads, then the rows, then the description of the rows.

import { PlatformError } from '../errors.ts'
import { rejectedTopic } from '../schema.ts'
import { applyChange } from './apply.ts'
import { changeSet, planHash } from './change-set.ts'
import { datasetTeardown, dropDataset } from './dataset-teardown.ts'
import { readText } from './project-files.ts'
import { readersOfTopic } from './readers.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { Topic } from '../schema.ts'

export type TeardownKind = 'pipeline' | 'topic' | 'dataset'

export interface TeardownPart {
  readonly what: string
  /** Bytes, or rows, in words; empty: it has no size. */
  readonly size: string
  /** It goes only where the rows are to go, too. */
  readonly rows: boolean
}

export interface Teardown {
  readonly kind: TeardownKind
  /** What whoever goes on has to write. */
  readonly name: string
  readonly goes: readonly TeardownPart[]
  /** A sentence each. */
  readonly stays: readonly string[]
  /** Who still reads it: while there are any, it is refused. */
  readonly readers: readonly string[]
}

/** After every row that there can be. */
const END_OF_TIME = 8.64e15

/** What would go. Throws NOT_FOUND. */
export async function planTeardown (platform: Platform, kind: TeardownKind, name: string): Promise<Teardown> {
  switch (kind) {
    case 'pipeline': return pipelineTeardown(platform, name)
    case 'topic': return topicTeardown(platform, name)
    case 'dataset': return datasetTeardown(platform, name)
  }
}

/** Throws STILL_READ, and what the change of the files throws. Safe to be repeated after it was broken off. */
export async function tearDown (platform: Platform, principal: Principal, { kind, name, rows }: { readonly kind: TeardownKind, readonly name: string, readonly rows: boolean }): Promise<Teardown> {
  const teardown = await planTeardown(platform, kind, name)
  if (teardown.readers.length > 0) {
    throw new PlatformError('STILL_READ', `${kind} ${name} is still read: ${teardown.readers.join('; ')}`, { remedy: 'Take these away first.' })
  }
  const schema = platform.supervisor.schemas.get(name)
  switch (kind) {
    case 'pipeline':
      await removeFiles(platform, principal, [`pipelines/${name}.yaml`, `pipelines/${name}.test.yaml`])
      break
    case 'topic':
      if (rows) await emptyTopics(platform, schema ?? bareTopic(name))
      await removeFiles(platform, principal, [`schemas/${name}.yaml`])
      break
    case 'dataset':
      if (!rows) throw new PlatformError('REQUEST_INVALID', 'A dataset is its rows: without them nothing of it goes', { remedy: 'Send rows: true.' })
      await dropDataset(platform, name)
  }
  return teardown
}

async function pipelineTeardown (platform: Platform, id: string): Promise<Teardown> {
  const { root, supervisor } = platform
  const files = await present(root, [`pipelines/${id}.yaml`, `pipelines/${id}.test.yaml`])
  if (files.length === 0) throw new PlatformError('NOT_FOUND', `There is no pipeline "${id}"`)
  const pipeline = supervisor.files.pipelines.get(id)
  const stays = pipeline === undefined ? [] : [`The topic ${pipeline.topic} with its rows.`, ...pipeline.outputs.map(({ plugin, name }) => `What ${name} has written to its destination (${plugin}).`)]
  const others = pipeline?.input === undefined ? [] : [...supervisor.files.pipelines.values()].filter(({ id: other, topic, input }) => other !== id && topic === pipeline.topic && input === undefined)
  return { kind: 'pipeline', name: id, goes: files.map(file => ({ what: file, size: '', rows: false })), stays: [...stays, ...others.map(({ id: other }) => `The pipeline ${other}, which gets no new rows in ${pipeline?.topic} any more.`)], readers: [] }
}

async function topicTeardown (platform: Platform, name: string): Promise<Teardown> {
  const { broker, root } = platform
  const files = await present(root, [`schemas/${name}.yaml`])
  const states = (await Promise.all([name, `${name}.rejected`].map(topic => broker.inspect(topic)))).filter(state => state !== undefined)
  if (files.length === 0 && states.length === 0) throw new PlatformError('NOT_FOUND', `There is no topic "${name}"`)
  return {
    kind: 'topic',
    name,
    goes: [
      ...files.map(file => ({ what: file, size: '', rows: false })),
      ...states.map(state => ({ what: `rows of the topic ${state.name}`, size: `${state.bytes} bytes, ${state.partitions.reduce((sum, { first, next }) => sum + next - first, 0)} rows`, rows: true }))
    ],
    stays: ['Offsets of the topic, so that none is used twice.', 'Tables and lake files that hold rows of the topic; the dataset is torn down on its own.'],
    readers: await readersOfTopic(platform, name)
  }
}

async function emptyTopics ({ broker }: Platform, topic: Topic): Promise<void> {
  const existing = new Set(await broker.topics())
  for (const one of [topic, rejectedTopic(topic.name)]) {
    if (existing.has(one.name)) await broker.trim({ ...one, retention: { ms: 0, bytes: Number.MAX_SAFE_INTEGER, beyondOutputs: true } }, { now: END_OF_TIME, groups: [] })
  }
}

async function removeFiles (platform: Platform, principal: Principal, paths: readonly string[]): Promise<void> {
  const files = (await present(platform.root, paths)).map(path => ({ path, text: null }))
  if (files.length === 0) return
  const plan = planHash(await changeSet(platform.root, { files }))
  const { receipt } = await applyChange(platform, principal, { files, plan })
  if (receipt.outcome !== 'applied' && receipt.outcome !== 'unchanged') throw new PlatformError('CONFIG_INVALID', receipt.reason, { remedy: 'Nothing was removed.' })
}

async function present (root: string, paths: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(paths.map(path => readText(root, path)))
  return paths.filter((_, i) => texts[i] !== undefined)
}

function bareTopic (name: string): Topic {
  return { name, description: '', owner: '', fields: [], key: [], eventTime: '', partitions: 1, retention: { ms: 0, bytes: 0, beyondOutputs: true }, hash: '' }
}
