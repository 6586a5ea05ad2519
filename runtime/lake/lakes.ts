// Where lakes are: the options that the plugins of a lake share, and the lakes that the pipelines of a project keep.

import { openObjects } from '../objects/open.ts'
import type { Config } from '../plugin.ts'
import type { Objects } from '../objects/objects.ts'
import type { Pipeline } from '../pipeline.ts'

/** Options of both plugins `lake`. */
export const lakeOptions = {
  folder: {
    type: 'string',
    default: 'lake',
    description: 'Where the lake is: a folder, absolute or below the data folder, or `s3://bucket/prefix` in an S3-compatible store.',
    examples: ['/srv/lake', 's3://our-lake/raw']
  },
  endpoint: { type: 'string', default: null, description: 'Address of a store other than AWS.', examples: ['https://minio.internal:9000'] },
  region: { type: 'string', default: null, description: 'Region of the bucket; as the AWS environment says where it is left out, and `us-east-1` with an endpoint.' },
  path_style: { type: 'boolean', default: null, description: 'Puts the bucket into the path instead of the host name; on with an endpoint, off without one.' },
  access_key: { type: 'string', default: null, description: 'Access key; the usual AWS chain (environment, profile, role) where it is left out.', writeOnly: true },
  secret_key: { type: 'string', default: null, description: 'Secret of the access key.', writeOnly: true },
  timeout_seconds: { type: 'number', default: 60, description: 'Time that the store may take for one request, in seconds; a part of a file has 8 MiB.', minimum: 0.1 }
} as const

export type LakeConfig = Config<typeof lakeOptions>

/** Makes no request; whoever opens it closes it. `owner`: what files in its scratch folder begin with. */
export function openLake (config: LakeConfig, { dataFolder, owner }: { readonly dataFolder: string, readonly owner: string }): Promise<Objects> {
  const { folder, endpoint, region, path_style: pathStyle, access_key: accessKey, secret_key: secretKey, timeout_seconds: seconds } = config
  return openObjects({ address: folder, dataFolder, owner, store: { endpoint, region, pathStyle, accessKey, secretKey, requestMs: seconds * 1000 } })
}

/** An output that keeps a lake. */
export interface Lake {
  readonly pipeline: string
  /** The step's name, such as `outputs.lake`. */
  readonly step: string
  readonly topic: string
  readonly config: LakeConfig
}

/** The lakes that pipelines keep of a topic, or of all topics; no two of them are the same place. A disabled pipeline's lake counts: its rows are there. */
export function lakesOf (pipelines: Iterable<Pipeline>, topic?: string): Lake[] {
  const lakes = new Map<string, Lake>()
  for (const { id, topic: own, outputs } of pipelines) {
    if (topic !== undefined && own !== topic) continue
    for (const { plugin, name, config } of outputs) {
      if (plugin !== 'lake') continue
      const lake = { pipeline: id, step: name, topic: own, config: config as unknown as LakeConfig }
      const place = JSON.stringify([own, lake.config.endpoint, lake.config.folder])
      if (!lakes.has(place)) lakes.set(place, lake)
    }
  }
  return [...lakes.values()]
}
