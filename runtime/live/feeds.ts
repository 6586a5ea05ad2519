// Which topics a dataset is made of, and which pipelines map them.

import { subjectsOf } from '../parity/subject.ts'
import type { Subject } from '../parity/subject.ts'
import type { Supervisor } from '../supervisor.ts'

/** The feeds of a dataset, by topic; empty: no output stores rows in it. */
export function feedsOf (dataset: string, { files, schemas }: Pick<Supervisor, 'files' | 'schemas'>): Subject[] {
  const topics = [...new Set(Array.from(files.pipelines.values(), ({ topic }) => topic))].sort()
  return topics.flatMap(topic => subjectsOf(topic, files.pipelines, schemas)).filter(subject => subject.dataset === dataset)
}

/** Changes with anything that decides what the rows look like. */
export function identityOf (feeds: readonly Subject[], schemas: Supervisor['schemas']): string {
  return JSON.stringify(feeds.map(({ pipeline, group, schema }) => [pipeline.id, pipeline.revision, group, schemas.get(pipeline.topic)?.hash, schema.hash]))
}
