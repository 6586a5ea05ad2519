// Whether the time of a login tells who there is: tries of each kind over HTTP on one connection, in a new random order
// each round.
//   node test/bench/login.ts [tries]
// Printed: the medians, and for each pair of kinds that has to look alike the probability that times so different come of
// chance (Mann-Whitney U, two-sided, by its normal approximation; at 200 tries it sees a difference of a fifth of the
// spread). Below 0.001 the exit code is 1: one run in a thousand says so by chance.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashPassword } from '../../runtime/access/passwords.ts'
import { readConfig } from '../../runtime/config.ts'
import { clientLimits, makeApp } from '../../runtime/control/app.ts'
import { openPlatform } from '../../runtime/platform.ts'

const tries = Number(process.argv[2] ?? 200)
const LEAST = 0.001

const root = mkdtempSync(join(tmpdir(), 'twolane-login-'))
for (const folder of ['pipelines', 'schemas']) mkdirSync(join(root, folder))
const config = await readConfig({ root, env: { TWOLANE_CLICKHOUSE: 'http://127.0.0.1:9', TWOLANE_ADMIN_TOKEN: 'a-token-for-the-benchmark', TWOLANE_LOG_LEVEL: 'silent', TWOLANE_PORT: '0' } })
const platform = await openPlatform({ root, config })
const app = await makeApp(platform, { limits: { ...clientLimits, requestsPerSecondMax: 100_000 } })

const { access } = platform
const password = await hashPassword('four words that do')
for (const [user, fields] of Object.entries({ known: { password }, disabled: { password, disabled: true }, provided: { subject: '["https://login.example","1"]' } })) access.directory.putUser(access.newUser(user, fields))

// Each try comes from an address of its own, as the wait after five wrong ones is by user and address.
let addresses = 0
const newAddress = (): string => `127.${1 + (addresses >> 16)}.${(addresses >> 8) & 255}.${addresses++ & 255}`
const tryIt = async (user: string, remoteAddress: string, expected: number): Promise<number> => {
  const began = performance.now()
  const { statusCode } = await app.inject({ method: 'POST', url: '/v1/login', payload: { user, password: 'not the right one' }, remoteAddress })
  const ms = performance.now() - began
  if (statusCode !== expected) throw new Error(`${user}: ${statusCode}`)
  return ms
}
const wrong = (user: string) => (): Promise<number> => tryIt(user, newAddress(), 401)
const locked = (user: string) => (): Promise<number> => {
  const address = newAddress()
  for (let i = 0; i < 5; i++) access.lockout.fail(user, address)
  return tryIt(user, address, 429)
}
const kinds: Readonly<Record<string, () => Promise<number>>> = {
  'wrong password': wrong('known'),
  'unknown user': wrong('nobody-here'),
  'disabled user': wrong('disabled'),
  'user of the identity provider': wrong('provided'),
  'locked user': locked('known'),
  'locked, and unknown': locked('nobody-here')
}
const alike = [['wrong password', 'unknown user'], ['wrong password', 'disabled user'], ['wrong password', 'user of the identity provider'], ['locked user', 'locked, and unknown']] as const

const times = new Map(Object.keys(kinds).map(kind => [kind, [] as number[]]))
for (let i = -5; i < tries; i++) {
  for (const [kind, run] of Object.entries(kinds).map(entry => [Math.random(), entry] as const).sort(([a], [b]) => a - b).map(([, entry]) => entry)) {
    const ms = await run()
    // The first ones warm up.
    if (i >= 0) times.get(kind)?.push(ms)
  }
}
await app.close()
await platform.close()
rmSync(root, { recursive: true })

for (const [kind, all] of times) console.log(`  ${kind.padEnd(30)} median ${median(all).toFixed(2)} ms of ${all.length}`)
for (const [one, other] of alike) {
  const [a, b] = [times.get(one) ?? [], times.get(other) ?? []]
  const p = probability(a, b)
  console.log(`  ${one} / ${other}: medians ${((median(b) / median(a) - 1) * 100).toFixed(1)} % apart, by chance with a probability of ${p.toFixed(3)}${p < LEAST ? ': these can be told apart' : ''}`)
  if (p < LEAST) process.exitCode = 1
}

function median (all: readonly number[]): number {
  const sorted = all.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? NaN
}

/** That two samples of one distribution are at least so far apart. */
function probability (a: readonly number[], b: readonly number[]): number {
  const ranked = [...a.map(ms => ({ ms, first: true })), ...b.map(ms => ({ ms, first: false }))].sort((one, other) => one.ms - other.ms)
  const ranks = ranked.reduce((sum, { first }, i) => first ? sum + i + 1 : sum, 0)
  const u = ranks - a.length * (a.length + 1) / 2
  const z = Math.abs(u - a.length * b.length / 2) / Math.sqrt(a.length * b.length * (a.length + b.length + 1) / 12)
  return 2 * (1 - normal(z))
}

/** The normal distribution, to six digits (Zelen and Severo). */
function normal (z: number): number {
  const t = 1 / (1 + 0.2316419 * z)
  return 1 - Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI) * t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
}
