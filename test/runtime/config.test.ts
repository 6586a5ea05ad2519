/* eslint no-template-curly-in-string: "off" -- variables stand in the YAML */
import t from 'tap'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { platformForm, platformKeys, readConfig } from '../../runtime/config.ts'
import type { PlatformConfig } from '../../runtime/config.ts'
import type { PlatformError } from '../../runtime/errors.ts'
import { parseAddress } from '../../runtime/clickhouse/address.ts'
import { checkYaml, readYaml } from '../../runtime/yaml.ts'

const root = join(import.meta.dirname, '../..')

function project (t: Test, text?: string): string {
  return t.testdir(text === undefined ? {} : { config: { 'platform.yaml': text } })
}

async function linesOf (work: Promise<PlatformConfig>): Promise<string[]> {
  return work.then(() => [], (error: PlatformError) => error.message.split('\n'))
}

await t.test('without a file and without variables the defaults hold', async t => {
  const root = project(t)
  const { name, ...config } = await readConfig({ root, env: {} })
  t.match(name, new RegExp(`^${hostname()}-[0-9a-f]{8}$`), 'of host and data folder')
  t.match(config, {
    port: 8080,
    host: '127.0.0.1',
    role: 'any',
    advertisedUrl: '',
    dataFolder: join(root, 'data'),
    kafka: undefined,
    clickhouse: 'embedded',
    warehouse: undefined,
    realtimeDays: 7,
    clickhouseMemoryGigabytes: 2,
    adminToken: undefined,
    logLevel: 'warn',
    secrets: []
  })
})

await t.test('the environment wins over the file, and the file over the defaults', async t => {
  const root = project(t, 'port: 9000\nlog_level: debug\nclickhouse: "http://u:${PASSWORD}@db:8123"')
  const env = { TWOLANE_PORT: '9100', TWOLANE_ADMIN_TOKEN: 'canary-token-0123456789', TWOLANE_DATA: '/var/twolane', TWOLANE_LOG_LEVEL: '', PASSWORD: 'p%40ss%' }
  t.match(await readConfig({ root, env }), {
    port: 9100,
    logLevel: 'debug',
    dataFolder: '/var/twolane',
    adminToken: 'canary-token-0123456789',
    clickhouse: 'http://u:p%40ss%@db:8123',
    secrets: ['p%40ss%', 'canary-token-0123456789']
  })
})

await t.test('tokens and passwords are secrets', async t => {
  const env = { TWOLANE_ADMIN_TOKEN: 'canary-token-0123456789', TWOLANE_CLICKHOUSE: 'https://user:p%40ss@db:8443/x' }
  t.strictSame((await readConfig({ root: project(t), env })).secrets.toSorted(), ['canary-token-0123456789', 'p%40ss', 'p@ss'])
})

await t.test('the address of ClickHouse takes cluster and certificates along', async t => {
  const root = project(t, 'clickhouse: "https://user:${PASSWORD}@a:8443,b:8443"\nclickhouse_cluster: main\nclickhouse_ca_file: tls/ca.pem')
  const env = { PASSWORD: 'canary' }
  const config = await readConfig({ root, env: { ...env, TWOLANE_CLICKHOUSE_CERTIFICATE_FILE: '/c.pem', TWOLANE_CLICKHOUSE_KEY_FILE: '/k.pem' } })
  t.match(parseAddress(config.clickhouse), { text: 'https://a:8443,b:8443', password: 'canary', cluster: 'main', files: { ca: join(root, 'tls/ca.pem'), certificate: '/c.pem', key: '/k.pem' } })
  t.ok(config.secrets.includes('canary'))
  await t.rejects(readConfig({ root, env: { ...env, TWOLANE_CLICKHOUSE_KEY_FILE: '/k.pem' } }), { code: 'CONFIG_INVALID', message: /needs its key/ })
  await t.rejects(readConfig({ root: project(t), env: { TWOLANE_CLICKHOUSE: 'http://u:canary@a:1,b:1' } }), { code: 'CONFIG_INVALID', message: /several hosts and no cluster/, remedy: /clickhouse_cluster/ })
})

await t.test('what is wrong in the file and in the environment is said at once, without values', async t => {
  const root = project(t, 'prot: 1\nlog_level: inof\nclickhouse_memory_gigabytes: 0\nclickhouse: canary\nadmin_token: canary')
  const env = { TWOLANE_PORT: 'canary', TWOLANE_CLICKHOUSE: 'canary://x', TWOLANE_LOG_LEVEL: 'canary', TWOLANE_ADMIN_TOKEN: 'canary' }
  const lines = await linesOf(readConfig({ root, env }))
  t.strictSame(lines, [
    'environment TWOLANE_PORT: must be a whole number, not a text',
    'environment TWOLANE_CLICKHOUSE: must match ^(?:embedded|https?://[^\\s]+)$ (embedded, or http(s)://user:password@host:8123[,host:8123])',
    'environment TWOLANE_ADMIN_TOKEN: must match ^(?:.{16,})?$ (Token of the first administrator, 16 characters or more; empty: one is made at the first start)',
    'environment TWOLANE_LOG_LEVEL: must be one of error, warn, info, debug, silent',
    'config/platform.yaml:1:1 prot: unknown key; did you mean "port"?',
    'config/platform.yaml:2:1 log_level: "inof" is not allowed; did you mean "info"?',
    'config/platform.yaml:3:1 clickhouse_memory_gigabytes: must be above 0',
    'config/platform.yaml:4:1 clickhouse: must match ^(?:embedded|https?://[^\\s]+)$ (embedded, or http(s)://user:password@host:8123[,host:8123])',
    'config/platform.yaml:5:1 admin_token: must match ^(?:.{16,})?$ (Token of the first administrator, 16 characters or more; empty: one is made at the first start)'
  ])
  t.notMatch(lines.join('\n'), /canary/)
})

await t.test('the file that comes with the platform says the defaults', async t => {
  const text = await readFile(join(root, 'config/platform.yaml'), 'utf8')
  const value = checkYaml<Record<string, unknown>>(readYaml('config/platform.yaml', text), platformForm)
  for (const [key, { variable, schema }] of Object.entries(platformKeys)) {
    t.strictSame(value[key], schema.default, key)
    t.ok(text.includes(variable), `${variable} is mentioned`)
  }
})

await t.test('a Kafka is named by its address, with TLS and login beside it', async t => {
  const root = t.testdir({ 'ca.pem': 'the authority' })
  const env = { TWOLANE_BROKER: 'kafka://a:9092,b:9093', TWOLANE_KAFKA_CA_FILE: 'ca.pem', TWOLANE_KAFKA_SASL: 'scram-sha-512', TWOLANE_KAFKA_USER: 'me', TWOLANE_KAFKA_PASSWORD: 'canary', TWOLANE_KAFKA_SESSION_SECONDS: '20' }
  const { kafka, secrets } = await readConfig({ root, env })
  t.match(kafka, { brokers: ['a:9092', 'b:9093'], ssl: { ca: 'the authority' }, sasl: { mechanism: 'scram-sha-512', username: 'me', password: 'canary' }, sessionTimeoutMs: 20_000 })
  t.ok(secrets.includes('canary'), 'the password is a secret')
  t.match(await linesOf(readConfig({ root, env: { TWOLANE_BROKER: 'kafka:9092' } })), [/^environment TWOLANE_BROKER: must match .*kafka:\/\/host:port/])
  t.match(await linesOf(readConfig({ root, env: { ...env, TWOLANE_KAFKA_CA_FILE: 'none.pem' } })), [/kafka_ca_file: none.pem cannot be read/])
})
