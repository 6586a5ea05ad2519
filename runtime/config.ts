// config/platform.yaml and the environment: what holds for the whole platform. The environment wins over the file, and
// without both the defaults are fit for one machine.

import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { createSecureContext } from 'node:tls'
import { join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import { checkYaml } from './check.ts'
import { decoded, parseAddress, withParameters } from './clickhouse/address.ts'
import { describe, PlatformError } from './errors.ts'
import { coreScalar, interpolate } from './interpolate.ts'
import { oidcOf, proxiesOf, tlsOf } from './endpoint-config.ts'
import type { OidcConfig } from './endpoint-config.ts'
import type { KafkaConfig } from './broker/kafka/options.ts'
import type { Environment } from './interpolate.ts'
import { collect, configInvalid } from './problems.ts'
import type { Problem } from './problems.ts'
import type { Json } from './plugin.ts'
import { readYaml } from './yaml.ts'
import type { YamlFile } from './yaml.ts'

export const logLevels = ['error', 'warn', 'info', 'debug', 'silent'] as const
const userModes = ['none', 'keep', 'remove'] as const
export const roles = ['any', 'worker'] as const
const compressions = ['none', 'gzip', 'zstd'] as const
const mechanisms = ['', 'plain', 'scram-sha-256', 'scram-sha-512'] as const

export interface PlatformConfig {
  readonly port: number
  readonly host: string
  /** Of this process among several on one broker. */
  readonly name: string
  /** `worker`: it never becomes the control side. */
  readonly role: typeof roles[number]
  /** Certificate and key (PEM); undefined: plain HTTP. */
  readonly tls: { readonly cert: string, readonly key: string } | undefined
  /** Whether other machines may be answered without TLS. */
  readonly insecureHttp: boolean
  /** Addresses and networks of proxies that are believed who asks. */
  readonly trustedProxies: readonly string[]
  /** An OpenID Connect provider that people log in with; undefined: none. */
  readonly oidc: OidcConfig | undefined
  /** Where other machines reach it; empty: where it listens. */
  readonly advertisedUrl: string
  /** Absolute. */
  readonly dataFolder: string
  /** Undefined: the embedded broker. */
  readonly kafka: KafkaConfig | undefined
  /** `embedded`, or the address of ClickHouse with cluster and certificates in it (clickhouse/address.ts). */
  readonly clickhouse: string
  /** Whether that server gets users of its own for those of the platform (sql/server-users.ts). */
  readonly clickhouseUsers: typeof userModes[number]
  /** The ClickHouse that has the warehouse, written likewise; undefined: the same one. */
  readonly warehouse: string | undefined
  /** Days before today that the streaming database keeps, where a schema does not say otherwise. */
  readonly realtimeDays: number
  /** What the embedded engine may use. */
  readonly clickhouseMemoryGigabytes: number
  /** Of logs and metrics together, in ClickHouse. */
  readonly observeGigabytes: number
  /** Below that free disk of the data folder inputs wait; 0: they never do. */
  readonly diskReserveGigabytes: number
  /** Hosts, addresses and networks that are not public and may be connected to for somebody who asks over the network. */
  readonly connectAllow: readonly string[]
  /** Folders outside those of the project that somebody who asks over the network may name in pipelines. */
  readonly filesAllow: readonly string[]
  /** Where the daily backup goes; empty: none is made. */
  readonly backupTo: string
  /** Of the store that has the place; empty: AWS. */
  readonly backupEndpoint: string
  /** Backups that are kept. */
  readonly backupKeep: number
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
  tls_certificate_file: { variable: 'TWOLANE_TLS_CERTIFICATE_FILE', schema: { type: 'string', default: '', description: 'Certificate with its chain (PEM); with tls_key_file the panel and the API speak HTTPS.' } },
  tls_key_file: { variable: 'TWOLANE_TLS_KEY_FILE', schema: { type: 'string', default: '', description: 'Its private key (PEM).' } },
  trusted_proxies: { variable: 'TWOLANE_TRUSTED_PROXIES', schema: { type: 'string', default: '', description: 'Addresses and networks of proxies in front whose X-Forwarded-For is believed, separated by commas; without it everybody behind a proxy counts as one client, with one rate and one number of tries to log in.', examples: ['10.0.0.5, 10.1.0.0/24'] } },
  insecure_http: { variable: 'TWOLANE_INSECURE_HTTP', schema: { type: 'boolean', default: false, description: 'Answer other machines without TLS: for a proxy in front that speaks it.' } },
  oidc_issuer: { variable: 'TWOLANE_OIDC_ISSUER', schema: { type: 'string', pattern: '^(?:https?://[^\\s]+)?$', default: '', description: 'Address of an OpenID Connect provider that people log in with; empty: none.' } },
  oidc_client_id: { variable: 'TWOLANE_OIDC_CLIENT_ID', schema: { type: 'string', default: '', description: 'What the provider knows the platform as.' } },
  oidc_client_secret: { variable: 'TWOLANE_OIDC_CLIENT_SECRET', schema: { type: 'string', default: '', description: 'Its secret there.', writeOnly: true } },
  oidc_title: { variable: 'TWOLANE_OIDC_TITLE', schema: { type: 'string', default: 'Single sign-on', description: 'What the button of that login says.' } },
  oidc_roles: { variable: 'TWOLANE_OIDC_ROLES', schema: { type: 'string', pattern: '^(?:\\s*[^=,]+=\\s*[a-z0-9][a-z0-9_-]*\\s*(?:,|$))*$', default: '', description: 'Roles by the claim groups, as group=role, group=role; who is in none of them has no role until an admin gives one.' } },
  data_folder: { variable: 'TWOLANE_DATA', schema: { type: 'string', minLength: 1, default: './data', description: 'Folder of all state; relative to the project.' } },
  name: { variable: 'TWOLANE_NAME', schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{0,100}$', default: '', description: 'Name of this process among several on one broker; empty: made of host name and data folder.' } },
  role: { variable: 'TWOLANE_ROLE', schema: { type: 'string', enum: [...roles], default: 'any', description: 'worker: runs pipelines only; any: may be the control side, too, which one of them is at a time.' } },
  advertised_url: { variable: 'TWOLANE_ADVERTISED_URL', schema: { type: 'string', pattern: '^(?:https?://[^\\s]+)?$', default: '', description: 'Address under which other machines reach this process; empty: where it listens.' } },
  broker: { variable: 'TWOLANE_BROKER', schema: { type: 'string', pattern: '^(?:embedded|kafka://[^\\s/@,]+(?:,[^\\s/@,]+)*)$', default: 'embedded', description: 'embedded, or kafka://host:port[,host:port].' } },
  kafka_prefix: { variable: 'TWOLANE_KAFKA_PREFIX', schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{0,64}$', default: '', description: 'Put before the names of all topics and groups, so that several installations share one Kafka.' } },
  kafka_replication: { variable: 'TWOLANE_KAFKA_REPLICATION', schema: { type: 'integer', minimum: 1, maximum: 32, default: 1, description: 'Copies that Kafka keeps of the topics which the platform makes; 3 on a cluster.' } },
  kafka_compression: { variable: 'TWOLANE_KAFKA_COMPRESSION', schema: { type: 'string', enum: [...compressions], default: 'none', description: 'How what the platform appends is compressed.' } },
  kafka_session_seconds: { variable: 'TWOLANE_KAFKA_SESSION_SECONDS', schema: { type: 'number', minimum: 6, maximum: 300, default: 10, description: 'Silence after which Kafka gives the work of a process to the others.' } },
  kafka_tls: { variable: 'TWOLANE_KAFKA_TLS', schema: { type: 'boolean', default: false, description: 'Connect with TLS.' } },
  kafka_ca_file: { variable: 'TWOLANE_KAFKA_CA_FILE', schema: { type: 'string', default: '', description: 'Certificate of the authority that signed those of the brokers (PEM), where the system does not know it.' } },
  kafka_certificate_file: { variable: 'TWOLANE_KAFKA_CERTIFICATE_FILE', schema: { type: 'string', default: '', description: 'Certificate of this client (PEM), where the brokers want one.' } },
  kafka_key_file: { variable: 'TWOLANE_KAFKA_KEY_FILE', schema: { type: 'string', default: '', description: 'Its private key (PEM).' } },
  kafka_sasl: { variable: 'TWOLANE_KAFKA_SASL', schema: { type: 'string', enum: [...mechanisms], default: '', description: 'How to log in; empty: without.' } },
  kafka_user: { variable: 'TWOLANE_KAFKA_USER', schema: { type: 'string', default: '', description: 'Who logs in.' } },
  kafka_password: { variable: 'TWOLANE_KAFKA_PASSWORD', schema: { type: 'string', default: '', description: 'The password.', writeOnly: true } },
  clickhouse: { variable: 'TWOLANE_CLICKHOUSE', schema: { type: 'string', pattern: '^(?:embedded|https?://[^\\s]+)$', default: 'embedded', description: 'embedded, or http(s)://user:password@host:8123[,host:8123].', writeOnly: true } },
  clickhouse_cluster: { variable: 'TWOLANE_CLICKHOUSE_CLUSTER', schema: { type: 'string', pattern: '^[A-Za-z0-9._-]*$', default: '', description: 'Name of the cluster (of system.clusters) that tables are made on; empty: one server.' } },
  clickhouse_ca_file: { variable: 'TWOLANE_CLICKHOUSE_CA_FILE', schema: { type: 'string', default: '', description: 'Certificate of the authority that signed that of ClickHouse (PEM), where the system does not know it.' } },
  clickhouse_certificate_file: { variable: 'TWOLANE_CLICKHOUSE_CERTIFICATE_FILE', schema: { type: 'string', default: '', description: 'Certificate of this client (PEM), where ClickHouse wants one; without a password in the address it says who the user is.' } },
  clickhouse_key_file: { variable: 'TWOLANE_CLICKHOUSE_KEY_FILE', schema: { type: 'string', default: '', description: 'Its private key (PEM).' } },
  clickhouse_users: { variable: 'TWOLANE_CLICKHOUSE_USERS', schema: { type: 'string', enum: [...userModes], default: 'none', description: 'keep: the ClickHouse server gets a user for each token with the scope sql:read, with the same datasets, columns and rows, kept up to date; remove: those that it got are taken away at the start; none: its users are not looked at.' } },
  warehouse: { variable: 'TWOLANE_WAREHOUSE', schema: { type: 'string', pattern: '^(?:https?://[^\\s]+)?$', default: '', description: 'http(s)://user:password@host:8123 of the ClickHouse that has the warehouse; empty: the same one.', writeOnly: true } },
  realtime_period: { variable: 'TWOLANE_REALTIME_PERIOD', schema: { type: 'string', pattern: '^[1-9]\\d{0,3}d$', default: '7d', description: 'How many days before today the streaming database keeps; older ones are handed over to the warehouse. A schema can say otherwise for its topic.' } },
  clickhouse_memory_gigabytes: { variable: 'TWOLANE_CLICKHOUSE_MEMORY_GIGABYTES', schema: { type: 'number', exclusiveMinimum: 0, default: 2, description: 'Memory that the embedded ClickHouse may use.' } },
  observe_gigabytes: { variable: 'TWOLANE_OBSERVE_GIGABYTES', schema: { type: 'number', exclusiveMinimum: 0, default: 2, description: 'Disk that logs and metrics may take in ClickHouse; they are kept for 30 days, and the oldest go sooner where they would take more.' } },
  disk_reserve_gigabytes: { variable: 'TWOLANE_DISK_RESERVE_GIGABYTES', schema: { type: 'number', minimum: 0, default: 1, description: 'What stays free on the disk of the data folder, though a tenth of it at most: below it inputs wait, health and alerts say so, and they go on by themselves when there is room; 0: they never wait.' } },
  connect_allow: { variable: 'TWOLANE_CONNECT_ALLOW', schema: { type: 'string', default: '', description: 'Hosts, addresses and networks that are not on the public internet and that sources, destinations and webhooks may connect to although they were set up or tested over the network, separated by commas; each with or without a port. What stands in files may connect anywhere.', examples: ['db.internal, 10.1.0.0/16, localhost:5000'] } },
  files_allow: { variable: 'TWOLANE_FILES_ALLOW', schema: { type: 'string', default: '', description: 'Folders, besides the data of the project, whose files may be named in what is set up over the network, separated by commas.', examples: ['/srv/exports'] } },
  backup_to: { variable: 'TWOLANE_BACKUP_TO', schema: { type: 'string', default: '', description: 'Where a backup of everything goes each day: a folder, better on another disk, or s3://bucket/prefix; empty: none is made.' } },
  backup_endpoint: { variable: 'TWOLANE_BACKUP_ENDPOINT', schema: { type: 'string', pattern: '^(?:https?://[^\\s]+)?$', default: '', description: 'Address of the store of the backups, where it is another than AWS.' } },
  backup_keep: { variable: 'TWOLANE_BACKUP_KEEP', schema: { type: 'integer', minimum: 1, maximum: 1000, default: 7, description: 'Backups that are kept; older ones go when a new one is there.' } },
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
  const name = value['name'] as string
  return {
    port: value['port'] as number,
    host: value['host'] as string,
    name: name === '' ? `${hostname()}-${crc32(dataFolder).toString(16).padStart(8, '0')}` : name,
    role: value['role'] as PlatformConfig['role'],
    advertisedUrl: value['advertised_url'] as string,
    tls: await tlsOf(root, value),
    insecureHttp: value['insecure_http'] as boolean,
    trustedProxies: proxiesOf(value),
    oidc: oidcOf(value),
    dataFolder,
    kafka: await kafkaOf(root, value),
    clickhouse: clickhouseOf(root, value),
    clickhouseUsers: clickhouseUsersOf(value),
    warehouse: warehouseOf(value),
    realtimeDays: Number.parseInt(value['realtime_period'] as string),
    clickhouseMemoryGigabytes: value['clickhouse_memory_gigabytes'] as number,
    observeGigabytes: value['observe_gigabytes'] as number,
    diskReserveGigabytes: value['disk_reserve_gigabytes'] as number,
    connectAllow: listOf(value['connect_allow'] as string),
    filesAllow: listOf(value['files_allow'] as string),
    backupTo: value['backup_to'] as string,
    backupEndpoint: value['backup_endpoint'] as string,
    backupKeep: value['backup_keep'] as number,
    adminToken: token === '' ? undefined : token,
    logLevel: value['log_level'] as PlatformConfig['logLevel'],
    secrets: [...new Set([...yaml.secrets, ...secretsOf([value['clickhouse'] as string, value['warehouse'] as string], [token, value['kafka_password'] as string, value['oidc_client_secret'] as string])])]
  }
}

/** What commas separate. */
function listOf (text: string): string[] {
  return text.split(',').map(item => item.trim()).filter(item => item !== '')
}

function clickhouseOf (root: string, value: Readonly<Record<string, Json>>): string {
  const clickhouse = value['clickhouse'] as string
  if (clickhouse === 'embedded') return clickhouse
  const path = (key: string): string => value[key] === '' ? '' : resolve(root, value[key] as string)
  const address = withParameters(clickhouse, {
    cluster: value['clickhouse_cluster'] as string, ca: path('clickhouse_ca_file'), certificate: path('clickhouse_certificate_file'), key: path('clickhouse_key_file')
  })
  parseAddress(address)
  return address
}

function clickhouseUsersOf (value: Readonly<Record<string, Json>>): PlatformConfig['clickhouseUsers'] {
  const mode = value['clickhouse_users'] as PlatformConfig['clickhouseUsers']
  if (mode !== 'none' && value['clickhouse'] === 'embedded') throw new PlatformError('CONFIG_INVALID', `clickhouse_users is ${mode}, and the embedded ClickHouse has no users`, { remedy: 'Set clickhouse to the address of a server, or leave clickhouse_users out.' })
  return mode
}

function warehouseOf (value: Readonly<Record<string, Json>>): string | undefined {
  const warehouse = value['warehouse'] as string
  if (warehouse === '') return undefined
  parseAddress(warehouse)
  return warehouse
}

async function kafkaOf (root: string, value: Readonly<Record<string, Json>>): Promise<KafkaConfig | undefined> {
  const broker = value['broker'] as string
  if (broker === 'embedded') return undefined
  const pem = async (key: string): Promise<Record<string, string>> => {
    const path = value[`kafka_${key}_file`] as string
    if (path === '') return {}
    try {
      return { [key === 'certificate' ? 'cert' : key]: await readFile(resolve(root, path), 'utf8') }
    } catch (cause) {
      throw new PlatformError('CONFIG_INVALID', `kafka_${key}_file: ${path} cannot be read`, { cause, remedy: `It is set in ${file} or by TWOLANE_KAFKA_${key.toUpperCase()}_FILE.` })
    }
  }
  const tls = { ...await pem('ca'), ...await pem('certificate'), ...await pem('key') }
  const mechanism = value['kafka_sasl'] as typeof mechanisms[number]
  const [user, password] = [value['kafka_user'] as string, value['kafka_password'] as string]
  if (mechanism !== '' && (user === '' || password === '')) throw new PlatformError('CONFIG_INVALID', `kafka_sasl is ${mechanism}, and ${user === '' ? 'kafka_user' : 'kafka_password'} is not set`, { remedy: 'Set TWOLANE_KAFKA_USER and TWOLANE_KAFKA_PASSWORD, or leave kafka_sasl out.' })
  if (mechanism === '' && user !== '') throw new PlatformError('CONFIG_INVALID', 'kafka_user is set, and kafka_sasl is not', { remedy: `Set TWOLANE_KAFKA_SASL to one of ${mechanisms.filter(name => name !== '').join(', ')}.` })
  try {
    createSecureContext(tls)
  } catch (cause) {
    throw new PlatformError('CONFIG_INVALID', `The files of kafka_ca_file, kafka_certificate_file and kafka_key_file do not hold what TLS needs: ${describe(cause)}`, { cause, remedy: 'They have to be PEM, the key that of the certificate, without a passphrase.' })
  }
  return {
    brokers: broker.slice('kafka://'.length).split(',').map(host => /:\d+$/.test(host) ? host : `${host}:9092`),
    ...((value['kafka_tls'] === true || Object.keys(tls).length > 0) && { ssl: Object.keys(tls).length > 0 ? tls : true }),
    ...(mechanism !== '' && { sasl: { mechanism, username: user, password } }),
    replicationFactor: value['kafka_replication'] as number,
    compression: value['kafka_compression'] as typeof compressions[number],
    prefix: value['kafka_prefix'] as string,
    sessionTimeoutMs: (value['kafka_session_seconds'] as number) * 1000
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

/** The passwords in the addresses, as they are and as they are written there, and the others. */
function secretsOf (addresses: readonly string[], others: readonly string[]): string[] {
  const written = addresses.map(address => /^https?:\/\/[^@/?#:]*:([^@/?#]*)@/.exec(address)?.[1] ?? '')
  return [...others, ...written.flatMap(text => [decoded(text), text])].filter(text => text !== '')
}
