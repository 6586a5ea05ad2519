// Finds plugins: plugins/<kind>s/<name>/index.ts or index.js below the project's folder, or else the npm package of that
// name that is installed for the project. Plugins are trusted code: they run with all rights of their process.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { dirname, extname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, PlatformError } from './errors.ts'
import { quote, suggest } from './problems.ts'
import { freshUrl } from './fresh-modules.ts'
import { checkShape } from './plugin-shape.ts'
import type { Guarantee, Options, Plugin } from './plugin.ts'

export { checkConfig } from './plugin-config.ts'

export type PluginKind = Plugin['kind']
export const pluginKinds: readonly PluginKind[] = ['input', 'transform', 'output']

export interface LoadedPlugin {
  readonly plugin: Plugin
  readonly name: string
  readonly kind: PluginKind
  /** The module that exports it. */
  readonly file: string
  /** Changes whenever its code does. */
  readonly hash: string
}

/** Imports a plugin and checks its shape. Throws PLUGIN_INVALID, or NOT_FOUND with a suggestion. */
export async function loadPlugin (root: string, kind: PluginKind, name: string): Promise<LoadedPlugin> {
  const { file, hash } = await findPlugin(root, kind, name)
  const shown = relative(root, file)
  const exported = await importPlugin(file, hash, shown)
  return { plugin: checkShape(exported, kind, shown), name, kind, file, hash }
}

export interface ListedPlugin {
  readonly kind: PluginKind
  readonly name: string
  readonly description: string
  readonly options: Options
  readonly shorthand: string | undefined
  /** Of an output. */
  readonly guarantee: Guarantee | undefined
  /** Whether it can be the input of a job. */
  readonly bounded: boolean
  /** Why it cannot be loaded; the other fields are empty then. */
  readonly problem: string | undefined
}

export interface UsedPlugin {
  readonly kind: PluginKind
  readonly name: string
}

/** All plugins of the folder, and those in use that are npm packages, by kind and name; a broken one is listed with its problem. Without `all` those in use only. */
export async function listPlugins (root: string, used: readonly UsedPlugin[] = [], { all = true }: { readonly all?: boolean } = {}): Promise<ListedPlugin[]> {
  const list: ListedPlugin[] = []
  for (const kind of pluginKinds) {
    const names = new Set([...all ? await folderPlugins(root, kind) : [], ...used.filter(plugin => plugin.kind === kind).map(({ name }) => name)])
    for (const name of [...names].sort()) {
      const listed = { kind, name, description: '', options: {}, shorthand: undefined, guarantee: undefined, bounded: false, problem: undefined }
      try {
        const { plugin } = await loadPlugin(root, kind, name)
        const { description, options, shorthand } = plugin
        list.push({ ...listed, description, options, shorthand, guarantee: plugin.kind === 'output' ? plugin.guarantee : undefined, bounded: plugin.kind === 'input' && plugin.bounded === true })
      } catch (error) {
        list.push({ ...listed, problem: describe(error) })
      }
    }
  }
  return list
}

/** Names of the folders that hold a plugin, sorted. */
export async function folderPlugins (root: string, kind: PluginKind): Promise<string[]> {
  const folder = join(root, 'plugins', `${kind}s`)
  const names = existsSync(folder) ? await readdir(folder) : []
  return names.filter(name => entryOf(join(folder, name)) !== undefined).sort()
}

function entryOf (folder: string): string | undefined {
  return ['index.ts', 'index.js'].map(name => join(folder, name)).find(existsSync)
}

const namePattern = /^[a-z0-9@][a-z0-9@/._-]*$/

async function findPlugin (root: string, kind: PluginKind, name: string): Promise<{ file: string, hash: string }> {
  // The name comes from a file and becomes a path: it must not lead out of its folder.
  if (!namePattern.test(name) || name.length > 214 || name.split('/').some(part => /^\.*$/.test(part))) {
    throw new PlatformError('PLUGIN_INVALID', `${quote(name)} is no name of a plugin: small letters, digits and @ / . _ - are allowed`)
  }
  const entry = name.includes('/') ? undefined : entryOf(join(root, 'plugins', `${kind}s`, name))
  if (entry !== undefined) return { file: entry, hash: await hashFolder(dirname(entry)) }
  return await findPackage(root, name) ?? await notFound(root, kind, name)
}

async function notFound (root: string, kind: PluginKind, name: string): Promise<never> {
  for (const other of pluginKinds) {
    if (other !== kind && (await folderPlugins(root, other)).includes(name)) throw new PlatformError('NOT_FOUND', `${quote(name)} is ${article(other)}, not ${article(kind)}`)
  }
  throw new PlatformError('NOT_FOUND', `there is no ${kind} ${quote(name)}${suggest(name, await folderPlugins(root, kind))}`)
}

function article (kind: PluginKind): string {
  return `${kind === 'transform' ? 'a' : 'an'} ${kind}`
}

async function findPackage (root: string, name: string): Promise<{ file: string, hash: string } | undefined> {
  // A package's name is one part, or two with a scope.
  if (!/^(?:@[^@/]+\/)?[^@/]+$/.test(name)) return undefined
  const packageFile = packageJson(root, name)
  if (packageFile === undefined) return undefined
  const text = await readFile(packageFile, 'utf8')
  const main = mainOf(JSON.parse(text))
  const file = join(dirname(packageFile), main)
  if (relative(dirname(packageFile), file).startsWith('..') || !existsSync(file)) {
    throw new PlatformError('PLUGIN_INVALID', `the package ${quote(name)} has no file ${quote(main)}`, { remedy: 'Its package.json must name the module in "exports" or "main".' })
  }
  return { file, hash: digest([['package.json', text], ['main', await readFile(file, 'utf8')]]) }
}

function packageJson (root: string, name: string): string | undefined {
  try {
    return findPackageJSON(name, pathToFileURL(join(root, 'package.json')))
  } catch {
    // The answer for a package that is not installed; the caller says so, with suggestions.
    return undefined
  }
}

/** The module that `import` of a package gives: `exports`, then `main`. */
function mainOf (manifest: unknown): string {
  const { exports, main } = manifest as { exports?: unknown, main?: unknown }
  let entry = typeof exports === 'object' && exports !== null && '.' in exports ? exports['.'] : exports
  while (typeof entry === 'object' && entry !== null) {
    const conditions = entry as Record<string, unknown>
    entry = conditions[['node', 'import', 'default', 'require'].find(condition => condition in conditions) ?? '']
  }
  return typeof entry === 'string' ? entry : typeof main === 'string' ? main : 'index.js'
}

const sourceExtensions = new Set(['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json', '.sql', '.yaml', '.wasm'])

/** sha256 over all source files of a folder and what they are called. A mounted ConfigMap has symbolic links for files. */
async function hashFolder (folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter(entry => (entry.isFile() || entry.isSymbolicLink()) && sourceExtensions.has(extname(entry.name)))
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .filter(file => !/(?:^|[/\\])(?:node_modules|\.[^/\\]*)[/\\]/.test(file))
    .sort()
  return digest(await Promise.all(files.map(async file => [file, await readSource(join(folder, file))] as const)))
}

/** A link that leads to a folder or nowhere is no source; who imports it is told so by the import. */
async function readSource (file: string): Promise<string | Buffer> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EISDIR' || error.code === 'ENOENT') return ''
    throw error
  })
}

function digest (parts: ReadonlyArray<readonly [string, string | Buffer]>): string {
  const hash = createHash('sha256')
  for (const [name, content] of parts) hash.update(`${name}\0${content.length}\0`).update(content)
  return hash.digest('hex').slice(0, 16)
}

/** What a thread that reads files knows about modules: which one is being imported, and which ones ended an earlier thread. */
export interface ImportGuard {
  begin (shown: string): void
  end (): void
  /** Why they are not imported again. */
  readonly refused: Readonly<Record<string, string>>
}

let guard: ImportGuard | undefined

/** For a thread that may end, or hang, in the middle of an import. */
export function guardImports (given: ImportGuard): void {
  guard = given
}

async function importPlugin (file: string, hash: string, shown: string): Promise<unknown> {
  const refused = guard?.refused[shown]
  if (refused !== undefined) throw new PlatformError('PLUGIN_INVALID', `cannot be imported: ${refused}`, { where: shown })
  guard?.begin(shown)
  try {
    const module = await import(freshUrl(file, hash)) as { default?: unknown }
    return module.default
  } catch (error) {
    throw new PlatformError('PLUGIN_INVALID', `cannot be imported: ${describe(error)}${lineOf(error)}`, { where: shown, cause: error })
  } finally {
    guard?.end()
  }
}

/** Node.js puts the line of a syntax error in front of the stack only. */
function lineOf (error: unknown): string {
  const line = /^file:.*?([^/]+:\d+)$/m.exec((error as Error | undefined)?.stack ?? '')?.[1]?.replace(/\?version=\w+/, '')
  return line === undefined ? '' : ` (${line})`
}
