// An older revision of a pipeline, as far as a worker needs it to finish rows that the revision began: its transforms and
// the schemas. It is kept as text, without the secrets that variables hold or that stand in the file.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkYaml, valueAt } from './check.ts'
import { PlatformError } from './errors.ts'
import { interpolate } from './interpolate.ts'
import { mask } from './pipeline.ts'
import { pipelineForm } from './pipeline-form.ts'
import { configInvalid } from './problems.ts'
import { readSteps } from './step-file.ts'
import { readYaml } from './yaml.ts'
import type { Environment } from './interpolate.ts'
import type { Pipeline } from './pipeline.ts'
import type { Problem } from './problems.ts'
import type { Topic } from './schema.ts'

/** The file `revisions/<pipeline>/<revision>.json` of the data folder. */
export interface KeptRevision {
  readonly file: string
  /** With secrets as ***. */
  readonly text: string
  readonly schemas: readonly Topic[]
}

export interface OldRevision {
  /** The pipeline as it is now, with the transforms and the topic that it had. */
  readonly pipeline: Pipeline
  readonly schemas: ReadonlyMap<string, Topic>
}

/** Throws when the revision was not kept, or when it cannot be opened any more. */
export async function readKeptRevision (revision: string, { root, dataFolder, pipeline, env }: {
  readonly root: string, readonly dataFolder: string, readonly pipeline: Pipeline, readonly env: Environment
}): Promise<OldRevision> {
  const { file, text, schemas } = JSON.parse(await readFile(join(dataFolder, 'revisions', pipeline.id, `${revision}.json`), 'utf8')) as KeptRevision
  const yaml = interpolate(readYaml(file, text), env)
  const { topic } = checkYaml<{ topic: string }>(yaml, pipelineForm)
  const problems: Problem[] = []
  const transforms = (await readSteps(root, yaml, 'transform', problems)).map(({ step }) => step)
  if (problems.length > 0) throw configInvalid(problems)
  const masked = transforms.find(({ hidden, config }) => hidden.some(path => valueAt(config, path) === mask))
  if (masked !== undefined) {
    throw new PlatformError('CONFIG_INVALID', `A secret stood in ${file} and is not kept`, { where: masked.name, remedy: 'Put secrets into variables.' })
  }
  return { pipeline: { ...pipeline, topic, transforms, revision }, schemas: new Map(schemas.map(topic => [topic.name, topic])) }
}
