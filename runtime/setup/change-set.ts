// What somebody asks to change, as the texts of files before and after. Nothing is written here.

import { stringify } from 'yaml'
import { checkDefinition, mergeYaml, restoreSecrets } from '../control/definition.ts'
import { PlatformError } from '../errors.ts'
import { mask } from '../pipeline.ts'
import { createHash } from 'node:crypto'
import { withInput, withOutput } from './pipeline-edit.ts'
import { FILE_BYTES_MAX, checkPath, hashOf, readText } from './project-files.ts'
import type { Definition } from '../control/definition.ts'
import type { FileKind } from './project-files.ts'

/** Files that one change may touch. */
export const CHANGED_FILES_MAX = 100

/** The body of a request. All parts that are given count, in this order; a null takes the thing away. */
export interface ChangeRequest {
  /** `hash`: of the text that it was made from; empty: there was no file. */
  readonly files?: ReadonlyArray<{ readonly path: string, readonly text: string | null, readonly hash?: string }>
  readonly pipeline?: { readonly id: string, readonly definition: Definition | null }
  readonly input?: { readonly pipeline: string, readonly definition: Definition | string | null }
  readonly output?: { readonly pipeline: string, readonly name: string, readonly definition: Definition | string | null }
  readonly schema?: { readonly topic: string, readonly definition: Definition | null }
}

export interface FileChange {
  readonly path: string
  readonly kind: FileKind
  /** undefined: there is no such file. */
  readonly before: string | undefined
  /** With the secrets that *** stood for; undefined: the file goes. */
  readonly after: string | undefined
}

/** The files that would be other ones, by path. Throws REQUEST_INVALID, NOT_FOUND, FILE_CHANGED or CONFIG_INVALID. */
export async function changeSet (root: string, request: ChangeRequest): Promise<FileChange[]> {
  const changes = new Map<string, FileChange>()
  const edit = async (path: string, make: (text: string | undefined) => string | undefined): Promise<void> => {
    const kind = checkPath(path)
    const known = changes.get(path)
    const before = known === undefined ? await readText(root, path) : known.before
    const made = make(known === undefined ? before : known.after)
    const after = made === undefined || !path.endsWith('.yaml') ? made : restoreSecrets(path, before, made)
    checkText(path, after)
    changes.set(path, { path, kind, before, after })
    if (changes.size > CHANGED_FILES_MAX) throw new PlatformError('REQUEST_INVALID', `A change touches ${CHANGED_FILES_MAX} files at most`)
  }
  const { files = [], pipeline, input, output, schema } = request
  for (const { path, text, hash } of files) {
    await edit(path, before => {
      // Whoever wrote it had another text before them: theirs would undo what came in between.
      if (hash !== undefined && hash !== (before === undefined ? '' : hashOf(before))) throw new PlatformError('FILE_CHANGED', `${path} is another one than the change was made from`, { remedy: 'Read the file again, and make the change there.' })
      return text ?? undefined
    })
  }
  if (pipeline !== undefined) await edit(`pipelines/${pipeline.id}.yaml`, text => merged(text, pipeline.definition))
  if (input !== undefined) await edit(`pipelines/${input.pipeline}.yaml`, text => withInput(`pipelines/${input.pipeline}.yaml`, there(text, input.pipeline), input.definition))
  if (output !== undefined) await edit(`pipelines/${output.pipeline}.yaml`, text => withOutput(`pipelines/${output.pipeline}.yaml`, there(text, output.pipeline), output.name, output.definition))
  if (schema !== undefined) await edit(`schemas/${schema.topic}.yaml`, text => merged(text, schema.definition))
  for (const { path, before, after } of changes.values()) {
    if (before === undefined && after === undefined) throw new PlatformError('NOT_FOUND', `There is no ${path}`)
  }
  return [...changes.values()].filter(({ before, after }) => before !== after).sort((a, b) => a.path < b.path ? -1 : 1)
}

/** The same for the same change of the same files: it tells whether what was looked at is what would be applied. */
export function planHash (changes: readonly FileChange[]): string {
  return createHash('sha256').update(JSON.stringify(changes.map(({ path, before, after }) => [path, before ?? null, after ?? null]))).digest('hex').slice(0, 32)
}

function merged (text: string | undefined, definition: Definition | null): string | undefined {
  if (definition === null) return undefined
  checkDefinition(definition)
  return text === undefined ? stringify(definition, { lineWidth: 0 }) : mergeYaml(text, definition)
}

function there (text: string | undefined, pipeline: string): string {
  if (text === undefined) throw new PlatformError('NOT_FOUND', `There is no pipeline "${pipeline}"`)
  return text
}

function checkText (path: string, text: string | undefined): void {
  if (text === undefined) return
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) throw new PlatformError('REQUEST_INVALID', `${path} would be larger than 1 MiB`)
  if (text.includes('\0')) throw new PlatformError('REQUEST_INVALID', `${path} would hold a NUL character`)
  if (text.includes(`:${mask}@`)) throw new PlatformError('CONFIG_INVALID', `${path}: ${mask} in an address stands for a password; write the password, or a variable`)
}
