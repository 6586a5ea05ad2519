// What a change may name, depending on who makes it.
//
//   plugins    only those that the roles allow: a pipeline runs code
//   settings   config/platform.yaml says who gets in and where to: it needs access:write
//   hosts      no address in the network of the platform that connect_allow does not name
//   variables  none of the platform's own, and each one only for hosts to which the files send it already
//   paths      files of the project that are no configuration, and folders that files_allow names
//
// The token of the installation has the rights of whoever keeps the files, and the files themselves say what they like: for
// both the last three do not count. What a change leaves as it is was allowed before.

import { isIP } from 'node:net'
import { lookup } from 'node:dns/promises'
import { PlatformError } from '../errors.ts'
import { inTime } from '../in-time.ts'
import { readYaml } from '../yaml.ts'
import { addressPolicy, allowRemedy } from './address-policy.ts'
import { hostsOf } from './hosts.ts'
import { checkOptionPaths } from './option-paths.ts'
import { stepsOf } from './step-name.ts'
import { Bindings } from './variables.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { Problem } from '../problems.ts'
import type { YamlFile } from '../yaml.ts'
import type { FileChange } from './change-set.ts'
import type { NamedHost } from './hosts.ts'
import type { NamedStep } from './step-name.ts'

const LOOKUP_MS_MAX = 3000

/** Throws SCOPE_MISSING; all else is a problem of the file. */
export async function checkPolicy (platform: Platform, principal: Principal, changes: readonly FileChange[]): Promise<Problem[]> {
  for (const { path } of changes) {
    if (path === 'config/platform.yaml' && !principal.scopes.has('access:write')) {
      throw new PlatformError('SCOPE_MISSING', `To change ${path} needs the scope access:write, which ${principal.user} lacks`, { remedy: 'Ask an admin to make the change.' })
    }
  }
  const problems: Problem[] = []
  const bindings = new Bindings(platform.supervisor.files.pipelines.values())
  for (const { path, kind, before, after } of changes) {
    const yaml = kind === 'pipeline' && after !== undefined ? parsed(path, after) : undefined
    if (yaml === undefined) continue
    const known = new Set(before === undefined ? [] : stepsOf(parsed(path, before)?.value ?? null).map(step => textOf(step)))
    for (const step of stepsOf(yaml.value)) {
      const say = (message: string): void => { problems.push(yaml.problem(step.path, message)) }
      // Also of a step that stays: whoever may not use a plugin does not touch its pipeline.
      const refusal = pluginRefusal(principal, step.plugin)
      if (refusal !== undefined) say(refusal)
      else if (!known.has(textOf(step))) for (const message of await stepProblems(platform, principal, step, bindings)) say(message)
    }
  }
  return problems
}

/** What a step that is new, or not as it was, may not name: a sentence each. */
export async function stepProblems (platform: Pick<Platform, 'root' | 'config'>, principal: Principal, step: Pick<NamedStep, 'kind' | 'plugin' | 'options'>, bindings: Bindings): Promise<string[]> {
  if (principal.kind === 'admin') return []
  const hosts = hostsOf(step.options)
  return [
    ...bindings.problems(step.options),
    ...checkOptionPaths(platform, step),
    ...(await Promise.all(hosts.map(host => hostProblem(host, platform.config.connectAllow)))).filter(problem => problem !== undefined)
  ]
}

/** Undefined where the roles of whoever asks allow the plugin. */
export function pluginRefusal ({ user, plugins }: Principal, plugin: string): string | undefined {
  if (plugins === undefined || plugins.has(plugin)) return undefined
  return `${user} has no role that allows the plugin ${JSON.stringify(plugin)}; allowed: ${[...plugins].sort().join(', ') || 'none'}`
}

/** A name that cannot be looked up now is told by the test of the connection, and checked again by it. */
async function hostProblem ({ host, port, protocol }: NamedHost, allow: readonly string[]): Promise<string | undefined> {
  if (host.includes('${')) return undefined
  const policy = addressPolicy(allow)
  const number = Number(port === '' ? defaultPorts[protocol] ?? 0 : port)
  let addresses = [host]
  if (isIP(host) === 0) {
    const found: string[] = []
    await inTime(lookup(host, { all: true }).then(all => { found.push(...all.map(({ address }) => address)) }), LOOKUP_MS_MAX, () => 'late')
    addresses = found
  }
  const reason = addresses.map(address => policy.refusal(address, host, number)).find(refusal => refusal !== undefined)
  return reason === undefined ? undefined : `${reason}. ${allowRemedy}`
}

const defaultPorts: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443, postgres: 5432, postgresql: 5432, mysql: 3306, mariadb: 3306, clickhouse: 8123, kafka: 9092 }

function textOf ({ kind, name, plugin, options }: NamedStep): string {
  return JSON.stringify([kind, name, plugin, options])
}

/** What is no YAML is told by those who check the files. */
function parsed (path: string, text: string): YamlFile | undefined {
  try {
    return readYaml(path, text)
  } catch (error) {
    if (error instanceof PlatformError) return undefined
    throw error
  }
}
