// Files that options name. For somebody who asks over the network these are files of the project that hold data, not its
// configuration, its code, or the state of the platform; anything else must lie in a folder that files_allow names.

import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { PlatformConfig } from '../config.ts'
import type { Json } from '../plugin.ts'
import type { NamedStep } from './step-name.ts'

const pathOption = /^(?:path|folder|file|.*_(?:path|folder|file))$/
/** Options of such a name that are no place on a disk. */
const notOnDisk: Readonly<Record<string, ReadonlySet<string>>> = { 'input http-server': new Set(['path']), 'input s3': new Set(['path']) }
const choices = new Set(['bad_file'])
/** Folders of the project that nobody reads or writes through a plugin. */
const closed = ['config', 'pipelines', 'schemas', 'plugins', 'runtime', 'node_modules']
/** Of the platform's own folder: what outputs write there. */
const openData = ['lake', 'files', 'out', 'exports']

interface Place {
  readonly root: string
  readonly config: Pick<PlatformConfig, 'dataFolder' | 'filesAllow'>
}

/** Why the options, with their variables replaced, may not name a file: a sentence each. */
export function checkOptionPaths (place: Place, { kind, plugin, options }: Pick<NamedStep, 'kind' | 'plugin' | 'options'>): string[] {
  return pathsOf(kind, plugin, options).flatMap(path => {
    const problem = pathProblem(place, kind, path)
    return problem === undefined ? [] : [problem]
  })
}

function pathsOf (kind: string, plugin: string, options: Json): string[] {
  if (typeof options === 'string') return ['file', 'lake'].includes(plugin) && !isBucket(options) ? [options] : sqlite(options)
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return []
  return Object.entries(options as Readonly<Record<string, Json>>).flatMap(([name, value]) => {
    if (typeof value !== 'string') return []
    if (/^\s*(?:sqlite|file):/i.test(value)) return sqlite(value.trim())
    if (!pathOption.test(name) || choices.has(name) || notOnDisk[`${kind} ${plugin}`]?.has(name) === true) return []
    return isBucket(value) ? [] : [value]
  })
}

function isBucket (value: string): boolean {
  return value.startsWith('s3://')
}

/** In each way in which a plugin could read it: as it stands, and as an address with a query. */
function sqlite (address: string): string[] {
  const [, whole, path] = /^(?:sqlite|file):((?:\/\/)?([^?#]*).*)$/is.exec(address) ?? []
  return whole === undefined || path === undefined ? [] : [...new Set([whole, decodeURIComponentOr(path)])]
}

function pathProblem ({ root, config: { dataFolder, filesAllow } }: Place, kind: string, path: string): string | undefined {
  const shown = JSON.stringify(path.length > 60 ? `${path.slice(0, 60)}…` : path)
  if (path.includes('\0')) return `the path ${shown} holds a NUL character`
  // In a glob it takes the meaning of what follows: the name that is looked for is another one than the text shows.
  if (path.includes('\\')) return `the path ${shown} holds a backslash`
  // A glob begins where its first sign does; a brace may hide a way up.
  if (/(?:^|[/{,])\.\.(?:[/},]|$)/.test(path)) return `the path ${shown} leads up with ".."`
  const base = kind === 'output' ? dataFolder : root
  const full = resolve(base, path)
  if (filesAllow.some(folder => inside(resolve(root, folder), full))) return undefined
  if (kind === 'output' && !isAbsolute(path)) return isOpenData(relative(dataFolder, full)) ? undefined : refusal(shown)
  if (inside(dataFolder, full)) return isOpenData(relative(dataFolder, full)) ? undefined : refusal(shown)
  const [first = ''] = relative(root, full).split(sep)
  if (!inside(root, full) || first === '' || first.startsWith('.') || closed.includes(first) || /[*?[\]{}]/.test(first) || !relative(root, full).includes(sep)) return refusal(shown)
  return undefined
}

/** State of the platform lies beside what outputs write; its names begin with none of a folder of data. */
function isOpenData (path: string): boolean {
  const [first = ''] = path.split(sep)
  return openData.includes(first) || (/\.(?:ndjson|csv|json|parquet|gz|zst)$/.test(path) && !path.includes(sep))
}

function refusal (shown: string): string {
  return `the path ${shown} is in no folder that holds data; whoever keeps the platform can name its folder in files_allow of config/platform.yaml`
}

function inside (folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

function decodeURIComponentOr (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A percent sign that encodes nothing stands for itself.
    return text
  }
}
