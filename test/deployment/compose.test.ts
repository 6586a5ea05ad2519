import t from 'tap'
import { compose, filledIn } from './files.ts'
import { refusal } from './variables.ts'

const services = Object.entries(compose.services)
const runtimes = ['control', 'worker'].map(name => compose.services[name]!)

await t.test('there are a control side, workers, Kafka and ClickHouse', async t => {
  t.strictSame(Object.keys(compose.services), ['control', 'worker', 'kafka', 'clickhouse'])
  t.equal(compose.services['control']!.environment['TWOLANE_ROLE'], undefined)
  t.equal(compose.services['worker']!.environment['TWOLANE_ROLE'], 'worker')
})

await t.test('every container is without rights, and its image read-only', async t => {
  for (const [name, service] of services) {
    t.match(service, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], restart: 'unless-stopped' }, name)
    t.match(service.user, /^[1-9]\d*:[1-9]\d*$/, `${name} is not root`)
    for (const key of ['privileged', 'cap_add', 'network_mode', 'pid', 'ipc', 'devices']) t.notOk(key in service, `${name} has no ${key}`)
    t.notMatch(JSON.stringify(service.volumes), /docker\.sock|"\/(?:etc|proc|sys)/)
  }
})

await t.test('every container is limited, and versions are named', async t => {
  for (const [name, { image, deploy: { resources: { limits } } }] of services) {
    t.match(image, /^[\w/-]+:\d+\.\d+(?:\.\d+)?$/, image)
    t.ok(limits.cpus !== undefined && limits.memory !== undefined && limits.pids !== undefined, name)
  }
})

await t.test('every container shows its health, and a runtime waits for it', async t => {
  // The image of the platform brings its own check.
  for (const [name, service] of services) t.equal(service.healthcheck === undefined, runtimes.includes(service), name)
  for (const { depends_on: needs } of runtimes) t.strictSame(needs, { kafka: { condition: 'service_healthy' }, clickhouse: { condition: 'service_healthy' } })
})

await t.test('nothing can be reached from another machine, Kafka and ClickHouse not even from this one', async t => {
  t.strictSame(services.filter(([, { ports }]) => ports !== undefined).map(([name]) => name), ['control'])
  for (const port of compose.services['control']!.ports ?? []) t.match(port, /^127\.0\.0\.1:/)
  t.equal(compose.networks['inside']?.internal, true)
  for (const name of ['kafka', 'clickhouse']) t.strictSame(compose.services[name]!.networks, ['inside'], name)
})

await t.test('no secret is in the file, and none has a default', async t => {
  for (const [name, { environment }] of services) {
    for (const [variable, value] of Object.entries(environment)) {
      if (!/TOKEN|PASSWORD|SECRET|ACCESS_KEY|CLICKHOUSE$/.test(variable)) continue
      if (value === null) continue // It is passed on where the user sets it.
      t.match(value, /\$\{(?:TWOLANE_ADMIN_TOKEN|CLICKHOUSE_PASSWORD):\?[^}]+\}/, `${name}: ${variable}`)
      t.notMatch(value, /:-/, `${name}: ${variable}`)
    }
  }
})

await t.test('every variable of a runtime is one that it or a pipeline takes', async t => {
  for (const { environment } of runtimes) {
    for (const [name, value] of Object.entries(environment)) t.equal(refusal(name, value === null ? undefined : filledIn(value)), undefined)
  }
  t.ok(refusal('TWOLANE_BROKERS', 'embedded') && refusal('TWOLANE_ROLE', 'boss') && refusal('TWOLANE_BROKER', 'kafka:9092') && refusal('IB_GATEWAYS', ''), 'wrong ones are noticed')
})

await t.test('addresses name the services, and Kafka says the address that clients use', async t => {
  for (const { environment } of runtimes) {
    t.equal(environment['TWOLANE_BROKER'], 'kafka://kafka:9092')
    const url = new URL(filledIn(environment['TWOLANE_CLICKHOUSE'] ?? ''))
    t.equal(url.host, 'clickhouse:8123')
    t.equal(url.username, compose.services['clickhouse']!.environment['CLICKHOUSE_USER'])
  }
  t.equal(compose.services['kafka']!.environment['KAFKA_ADVERTISED_LISTENERS'], 'PLAINTEXT://kafka:9092')
})

await t.test('each runtime has a data folder of its own, and time to drain', async t => {
  const [control, worker] = runtimes
  t.strictSame(control!.volumes, ['control:/data', 'lake:/data/lake'])
  t.strictSame(worker!.volumes, ['/data', 'lake:/data/lake'], 'a volume without a name is made for each container')
  for (const service of runtimes) t.ok(Number.parseInt(service.stop_grace_period, 10) > 10)
})
