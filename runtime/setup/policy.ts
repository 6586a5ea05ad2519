// What a change may name, depending on who makes it.
//
//   plugins    only those that the roles allow: a pipeline runs code
//   settings   config/platform.yaml says who gets in and where to: it needs access:write
//   hosts      no address in the network of the platform that connect_allow does not name
//   variables  none of the platform's own, none of its settings, and each one only for hosts to which the files send it already
//   paths      files of the project that are no configuration, and folders that files_allow names
//   alerts     no other destinations: they are told what happens here, and stand for addresses, too
//   models     what a statement of a user may say: the platform makes the view with its own rights
//
// Hosts and paths are those that come out when the variables are replaced: a default may hold anything. A host that is one
// variable and nothing else was chosen by whoever set it.
//
// The token of the installation has the rights of whoever keeps the files, and the files themselves say what they like: for
// both all but plugins and settings does not count. What a change leaves as it is was allowed before.

import { isIP } from 'node:net'
import { lookup } from 'node:dns/promises'
import { ALERTS_FILE } from '../alerts/alert-file.ts'
import { PlatformError } from '../errors.ts'
import { inTime } from '../in-time.ts'
import { expanded } from '../interpolate.ts'
import { modelProblem } from '../sql/model.ts'
import { readYaml } from '../yaml.ts'
import { addressPolicy, allowRemedy } from './address-policy.ts'
import { hostsOf } from './hosts.ts'
import { checkOptionPaths } from './option-paths.ts'
import { listFiles, readText } from './project-files.ts'
import { stepsOf } from './step-name.ts'
import { Bindings } from './variables.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { Json } from '../plugin.ts'
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
  const bindings = await bindingsOf(platform)
  for (const change of changes) {
    const { path, kind, before, after } = change
    if (principal.kind !== 'admin') problems.push(...await fileProblems(platform, change))
    const yaml = kind === 'pipeline' && after !== undefined ? parsed(path, after) : undefined
    if (yaml === undefined) continue
    const known = new Set(before === undefined ? [] : stepsOf(parsed(path, before)?.value ?? null).map(step => textOf(step)))
    // Beside the options of steps nothing connects, but what stands there can be seen: names of columns, descriptions.
    const others = before === undefined ? [] : bindings.problems(withoutOptions(parsed(path, before)?.value ?? null))
    if (principal.kind !== 'admin') problems.push(...bindings.problems(withoutOptions(yaml.value)).filter(message => !others.includes(message)).map(message => yaml.problem([], message)))
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

/** Which variables are whose, as the files are now. */
export async function bindingsOf ({ root, supervisor }: Pick<Platform, 'root' | 'supervisor'>): Promise<Bindings> {
  const files = (await listFiles(root)).filter(({ kind }) => kind === 'config')
  const settings = await Promise.all(files.map(({ path }) => readText(root, path)))
  return new Bindings(supervisor.files.pipelines.values(), settings.filter(text => text !== undefined))
}

/** Of files without steps. */
async function fileProblems (platform: Platform, { path, kind, before, after }: FileChange): Promise<Problem[]> {
  if (after === undefined) return []
  const problem = (message: string): Problem[] => [{ file: path, line: 1, column: 1, path: '', message }]
  if (path === ALERTS_FILE && destinationsIn(before) !== destinationsIn(after)) return problem('destinations of alerts are changed by whoever keeps the files only; leave them as they are')
  if (kind !== 'model') return []
  const found = await modelProblem(platform, after)
  return found === undefined ? [] : problem(found)
}

function destinationsIn (text: string | undefined): string {
  const value = text === undefined ? undefined : parsed(ALERTS_FILE, text)?.value
  return JSON.stringify((value as { readonly destinations?: Json } | null | undefined)?.destinations ?? [])
}

/** What a step that is new, or not as it was, may not name: a sentence each. */
export async function stepProblems (platform: Pick<Platform, 'root' | 'config'>, principal: Principal, step: Pick<NamedStep, 'kind' | 'plugin' | 'options'>, bindings: Bindings): Promise<string[]> {
  if (principal.kind === 'admin') return []
  const unbound = bindings.problems(step.options)
  // What such a variable holds is not even looked up.
  if (unbound.length > 0) return unbound
  const written = { paths: new Set(checkOptionPaths(platform, step)), hosts: new Set(hostsOf(step.options).map(({ host }) => host)) }
  const hosts = await Promise.all(hostsOf(replaced(step.options, { wholeToo: false })).map(async host => {
    const problem = await hostProblem(host, platform.config.connectAllow)
    return problem === undefined || written.hosts.has(host.host) ? problem : `a host that its variables make is no address of the public internet, and nobody allowed to connect there. ${allowRemedy}`
  }))
  return [
    ...checkOptionPaths(platform, { ...step, options: replaced(step.options, { wholeToo: true }) }).map(problem => written.paths.has(problem) ? problem : problem.replace(/^the path ".*" (?=holds|leads|is in)/s, 'a path that its variables make ')),
    ...hosts.filter(problem => problem !== undefined)
  ]
}

/** The options as the plugin gets them; without `wholeToo` a value that is one variable stays as it stands. */
function replaced (options: Json, { wholeToo }: { readonly wholeToo: boolean }): Json {
  if (typeof options === 'string') {
    const { text, isVariable } = expanded(options, process.env)
    return isVariable && !wholeToo ? options : text
  }
  if (Array.isArray(options)) return (options as readonly Json[]).map(one => replaced(one, { wholeToo }))
  if (typeof options !== 'object' || options === null) return options
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, replaced(value as Json, { wholeToo })]))
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

function withoutOptions (definition: Json): Json {
  const rest = structuredClone(definition)
  for (const { path, plugin } of stepsOf(rest)) {
    let step: unknown = rest
    for (const key of path) step = (step as Record<string | number, unknown>)[key]
    if (typeof step === 'object' && step !== null) delete (step as Record<string, unknown>)[plugin]
  }
  return rest
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
