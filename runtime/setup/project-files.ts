// The files of a project that can be seen and changed from outside: what they may be called, and where they must lie.
//
// A name comes from a request and becomes a path. So it is compared with a few forms that have no room for `..`, a
// backslash, a percent sign or a NUL, and the real place of the file must be below the real place of its folder: a link
// that leads out of it is not followed.

import { createHash } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { writeDurably } from '../durable.ts'
import { PlatformError } from '../errors.ts'
import { quote } from '../problems.ts'

export type FileKind = 'pipeline' | 'test' | 'schema' | 'model' | 'config'

export interface ProjectFile {
  /** Relative to the project's folder, with slashes. */
  readonly path: string
  readonly kind: FileKind
  readonly bytes: number
  /** sha256 of the text, its first 16 digits. */
  readonly hash: string
}

/** The first form that fits says the kind: a file of tests has the name of a pipeline, too. */
const forms: ReadonlyArray<readonly [FileKind, RegExp]> = [
  ['test', /^pipelines\/[a-z0-9][a-z0-9_-]{0,63}\.test\.yaml$/],
  ['pipeline', /^pipelines\/[a-z0-9][a-z0-9_-]{0,63}\.yaml$/],
  ['schema', /^schemas\/[a-z_](?:[a-z0-9_-]|\.(?!\.)){0,63}\.yaml$/],
  ['model', /^schemas\/models\/[a-z][a-z0-9_]{0,63}\.sql$/],
  ['config', /^config\/(?:calendars\/)?[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.yaml$/]
]
const folders = ['config', 'config/calendars', 'pipelines', 'schemas', 'schemas/models'] as const

export const FILE_BYTES_MAX = 2 ** 20
const FILES_MAX = 10_000
const notWritable = ['EACCES', 'EPERM', 'EROFS']

/** The kind of a file by its name; undefined: no such file is seen from outside. */
export function kindOf (path: string): FileKind | undefined {
  return forms.find(([, form]) => form.test(path))?.[0]
}

/** Throws REQUEST_INVALID for a name that is none of a file of the project. */
export function checkPath (path: string): FileKind {
  const kind = kindOf(path)
  if (kind !== undefined) return kind
  throw new PlatformError('REQUEST_INVALID', `${quote(path)} is no file that can be read or changed here`, {
    remedy: 'Names look like pipelines/<id>.yaml, pipelines/<id>.test.yaml, schemas/<topic>.yaml, schemas/models/<name>.sql or config/<name>.yaml; ids have small letters, digits, "_" and "-".'
  })
}

/** All of them, sorted by path. */
export async function listFiles (root: string): Promise<ProjectFile[]> {
  const files: ProjectFile[] = []
  for (const folder of folders) {
    for (const name of await namesIn(join(root, folder))) {
      const path = `${folder}/${name}`
      const kind = kindOf(path)
      if (kind === undefined) continue
      const text = await readText(root, path).catch(() => undefined)
      if (text !== undefined) files.push({ path, kind, bytes: Buffer.byteLength(text), hash: hashOf(text) })
      if (files.length > FILES_MAX) throw new PlatformError('REQUEST_INVALID', `The project has more than ${FILES_MAX} files`, { remedy: 'Keep what is no pipeline, schema or setting elsewhere.' })
    }
  }
  return files.sort((a, b) => a.path < b.path ? -1 : 1)
}

/** The text of a file; undefined: there is none. Throws REQUEST_INVALID for a name, a link or a size that is not allowed. */
export async function readText (root: string, path: string): Promise<string | undefined> {
  checkPath(path)
  const file = join(root, path)
  try {
    await checkPlace(root, path)
    if ((await stat(file)).size > FILE_BYTES_MAX) throw new PlatformError('REQUEST_INVALID', `${path} is larger than 1 MiB`)
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes the file durably, or removes it where the text is undefined. Throws FILES_READ_ONLY. */
export async function writeText (root: string, path: string, text: string | undefined): Promise<void> {
  checkPath(path)
  const file = join(root, path)
  try {
    await checkPlace(root, path)
    if (text === undefined) return await rm(file, { force: true })
    await mkdir(dirname(file), { recursive: true })
    await writeDurably(file, text)
  } catch (cause) {
    if (!notWritable.includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause
    throw new PlatformError('FILES_READ_ONLY', `The platform may not write to the folder ${dirname(path)}/`, { remedy: 'Apply the diff of the plan where the files are kept and reload, or let the platform write there.', cause })
  }
}

export function hashOf (text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** A folder may be a link, as mounts are; a file in it may not lead out of it. */
async function checkPlace (root: string, path: string): Promise<void> {
  const folder = await realpath(join(root, path.slice(0, path.indexOf('/')))).catch(ignoreMissing)
  if (folder === undefined) return
  const parent = await realpath(dirname(join(root, path))).catch(ignoreMissing)
  const file = (await lstat(join(root, path)).catch(ignoreMissing))?.isSymbolicLink() === true ? await realpath(join(root, path)) : undefined
  for (const place of [parent, file]) {
    if (place === undefined || place === folder || place.startsWith(folder + sep)) continue
    throw new PlatformError('REQUEST_INVALID', `${path} is a link that leads out of its folder`, { remedy: 'Put the file itself there.' })
  }
}

function ignoreMissing (error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
  return undefined
}

async function namesIn (folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw error
  })
}
