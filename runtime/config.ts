// config/platform.yaml and the environment: what holds for the whole platform. The environment wins over the file, and
// without both the defaults are fit for one machine.

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { checkYaml } from './check.ts'
import { PlatformError } from './errors.ts'
import { coreScalar, interpolate } from './interpolate.ts'
import type { Environment } from './interpolate.ts'
import { collect, configInvalid } from './problems.ts'
import type { Problem } from './problems.ts'
import type { Json } from './plugin.ts'
import { readYaml } from './yaml.ts'
import type { YamlFile } from './yaml.ts'

export const logLevels = ['error', 'warn', 'info', 'debug', 'silent'] as const

export interface PlatformConfig {
  readonly port: number
  readonly host: string
  /** Absolute. */
  readonly dataFolder: string
  /** `embedded`, or the URL of a ClickHouse server. */
  readonly clickhouse: string
  /** What the embedded engine may use. */
  readonly clickhouseMemoryGigabytes: number
  /** Undefined: one is made at the first start. Secret. */
  readonly adminToken: string | undefined
  readonly logLevel: typeof logLevels[number]
  /** Texts that logs and answers must not show. */
  readonly secrets: readonly string[]
}

interface Key {
  /** The environment variable that sets it. */
  readonly variable: string
  readonly schema: { readonly type: string, readonly description: string, readonly default?: Json, readonly [key: string]: unknown }
}

/** The keys of config/platform.yaml. */
export const platformKeys: Readonly<Record<string, Key>> = {
  port: { variable: 'TWOLANE_PORT', schema: { type: 'integer', minimum: 0, maximum: 65_535, default: 8080, description: 'Port of the control panel and the API; 0: any free one.' } },
  host: { variable: 'TWOLANE_HOST', schema: { type: 'string', minLength: 1, default: '127.0.0.1', description: 'Address to listen on.' } },
  data_folder: { variable: 'TWOLANE_DATA', schema: { type: 'string', minLength: 1, default: './data', description: 'Folder of all state; relative to the project.' } },
  clickhouse: { variable: 'TWOLANE_CLICKHOUSE', schema: { type: 'string', pattern: '^(?:embedded|https?://[^\\s]+)$', default: 'embedded', description: 'embedded, or http(s)://user:password@host:8123.', writeOnly: true } },
  clickhouse_memory_gigabytes: { variable: 'TWOLANE_CLICKHOUSE_MEMORY_GIGABYTES', schema: { type: 'number', exclusiveMinimum: 0, default: 2, description: 'Memory that the embedded ClickHouse may use.' } },
  admin_token: { variable: 'TWOLANE_ADMIN_TOKEN', schema: { type: 'string', default: '', description: 'Token of the first administrator, 16 characters or more; empty: one is made at the first start.', pattern: '^(?:.{16,})?$', writeOnly: true } },
  log_level: { variable: 'TWOLANE_LOG_LEVEL', schema: { type: 'string', enum: [...logLevels], default: 'warn', description: 'The least important level that the terminal shows; the topic _platform has everything from info on.' } }
}

export const platformForm = {
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(Object.entries(platformKeys).map(([key, { schema }]) => [key, schema]))
}

const file = 'config/platform.yaml'

/** Throws one CONFIG_INVALID that lists all problems of the file and of the environment. A missing file is an empty one. */
export async function readConfig ({ root, env }: { readonly root: string, readonly env: Environment }): Promise<PlatformConfig> {
  const yaml = interpolate(readYaml(file, await textOf(join(root, file))), env)
  const problems: Problem[] = []
  // Each on its own, so that a bad file does not hide a bad variable.
  const fromFile = collect(problems, () => checkYaml<Record<string, Json>>(yaml, platformForm, { value: yaml.value ?? {} }))
  const fromEnvironment: Record<string, Json> = {}
  for (const [key, { variable, schema }] of Object.entries(platformKeys)) {
    const text = env[variable]
    if (text === undefined || text === '') continue
    const value = schema.type === 'string' ? text : coreScalar(text)
    const checked = collect(problems, () => checkYaml<Record<string, Json>>(environmentFile(variable), { type: 'object', properties: { [variable]: { ...schema, writeOnly: true } } }, { value: { [variable]: value } }))
    if (checked !== undefined) fromEnvironment[key] = value
  }
  if (fromFile === undefined || problems.length > 0) throw configInvalid(problems)

  const value = { ...fromFile, ...fromEnvironment }
  const dataFolder = resolve(root, value['data_folder'] as string)
  const token = value['admin_token'] as string
  return {
    port: value['port'] as number,
    host: value['host'] as string,
    dataFolder,
    clickhouse: value['clickhouse'] as string,
    clickhouseMemoryGigabytes: value['clickhouse_memory_gigabytes'] as number,
    adminToken: token === '' ? undefined : token,
    logLevel: value['log_level'] as PlatformConfig['logLevel'],
    secrets: [...new Set([...yaml.secrets, ...secretsOf(token, value['clickhouse'] as string)])]
  }
}

async function textOf (path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new PlatformError('CONFIG_INVALID', 'cannot be read', { where: file, cause: error })
  }
}

/** The environment as a file of which a variable is a key: it has no lines. */
function environmentFile (variable: string): YamlFile {
  const problem = (_: unknown, message: string): Problem => ({ file: 'environment', line: 0, column: 0, path: variable, message })
  return { file: 'environment', value: {}, where: () => `environment ${variable}`, problem, plain: () => false, source: () => undefined, replaced: new Map() }
}

function secretsOf (token: string, clickhouse: string): string[] {
  const password = clickhouse === 'embedded' ? '' : URL.parse(clickhouse)?.password ?? ''
  return [token, decoded(password), password].filter(text => text !== '')
}

function decoded (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A percent sign that encodes nothing stands for itself.
    return text
  }
}
