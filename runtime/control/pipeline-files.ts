import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMap, parseDocument, stringify } from 'yaml'
import { writeDurably } from '../durable.ts'
import type { Document } from 'yaml'
import type { Json } from '../plugin.ts'
import type { Receipt } from '../receipt.ts'
import type { Supervisor } from '../supervisor.ts'

/** `id` has been checked against the pattern of ids: it cannot lead out of the folder. */
export function pipelineFile (root: string, id: string): string {
  return join(root, 'pipelines', `${id}.yaml`)
}

/** Undefined where there is no such file. */
export async function textOf (file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes (or removes) a file and reloads; puts back what was there when the reload does not apply it. */
export async function changeFile (supervisor: Supervisor, file: string, text: string | undefined): Promise<Receipt> {
  const before = await textOf(file)
  await put(file, text)
  try {
    const receipt = await supervisor.reload()
    if (receipt.outcome === 'rejected' || receipt.outcome === 'rolled_back') await put(file, before)
    return receipt
  } catch (error) {
    await put(file, before)
    throw error
  }
}

async function put (file: string, text: string | undefined): Promise<void> {
  if (text === undefined) return rm(file, { force: true })
  await mkdir(dirname(file), { recursive: true })
  await writeDurably(file, text)
}

/** The definition as YAML; what the old text says the same way stays as it is, comments included. */
export function mergeYaml (old: string | undefined, definition: Readonly<Record<string, Json>>): string {
  if (old === undefined) return stringify(definition)
  const document = parseDocument(old)
  if (document.errors.length > 0 || !isMap(document.contents)) return stringify(definition)
  merge(document, [], definition)
  return document.toString()
}

function merge (document: Document, path: ReadonlyArray<string | number>, value: Json): void {
  const node = document.getIn(path, true)
  if (isPlainObject(value) && isMap(node)) {
    for (const { key } of [...node.items]) {
      const name = String((key as { value?: unknown } | null)?.value ?? key)
      if (!(name in value)) document.deleteIn([...path, name])
    }
    for (const [name, inner] of Object.entries(value)) merge(document, [...path, name], inner)
    return
  }
  const current: unknown = node === undefined || node === null ? undefined : (node as { toJSON?: () => unknown }).toJSON?.()
  if (JSON.stringify(current) === JSON.stringify(value)) return
  if (Array.isArray(value) && Array.isArray(current) && value.length === current.length) {
    value.forEach((item, i) => merge(document, [...path, i], item as Json))
    return
  }
  document.setIn(path, document.createNode(value))
}

function isPlainObject (value: Json): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
