// A pipeline's file and its JSON form: one becomes the other without loss of comments, numbers or secrets.

import { isMap, isScalar, parseDocument, stringify, visit } from 'yaml'
import { PlatformError } from '../errors.ts'
import { mask } from '../pipeline.ts'
import { configInvalid } from '../problems.ts'
import { placeOf } from '../setup/hosts.ts'
import { stepName } from '../setup/step-name.ts'
import { readYaml } from '../yaml.ts'
import type { Document, Node } from 'yaml'
import type { Json } from '../plugin.ts'

const DEPTH_MAX = 50

export type Definition = Readonly<Record<string, Json>>

/** Throws for a value that is no definition, or that would not survive the way into the file. */
export function checkDefinition (value: unknown): asserts value is Definition {
  if (!isPlainObject(value as Json)) throw invalid('must be a map of keys')
  const waiting: Array<readonly [unknown, number]> = [[value, 1]]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [at, depth] = next
    if (depth > DEPTH_MAX) throw invalid(`is nested more than ${DEPTH_MAX} levels deep`)
    // JSON.parse has changed it already.
    if (typeof at === 'number' && Number.isInteger(at) && !Number.isSafeInteger(at)) throw invalid('holds a whole number beyond 2^53; send it as a text')
    if (typeof at === 'object' && at !== null) for (const inner of Object.values(at)) waiting.push([inner, depth + 1])
  }
}

/** The definition as YAML; what the old text says the same way stays as it is, comments included. */
export function mergeYaml (old: string | undefined, definition: Definition): string {
  const document = old === undefined ? undefined : documentOf(old)
  if (document === undefined) return stringify(definition)
  if (JSON.stringify(document.toJSON()) === JSON.stringify(definition)) return old as string
  merge(document, [], definition)
  return document.toString({ lineWidth: 0 })
}

/**
 * Secrets that stand in a file are shown as ***. Whoever sends *** back means the secret that stands at the same place of
 * the same step in the old text; where there is none it must be written anew. So it must where the step leads to another
 * host by now: a secret is not sent to a host that it was not written for.
 */
export function restoreSecrets (file: string, old: string | undefined, text: string): string {
  const document = text.includes(mask) ? documentOf(text) : undefined
  if (document === undefined) return text
  const before = old === undefined ? undefined : documentOf(old)
  const splices: Array<{ readonly from: number, readonly to: number, readonly text: string }> = []
  visit(document, {
    Scalar (key, node, ancestors) {
      if (key === 'key' || node.value !== mask || node.range === undefined || node.range === null) return
      const path = pathOf([...ancestors as readonly Node[], node])
      const problem = (message: string): PlatformError => configInvalid([readYaml(file, text).problem(path, message)])
      const from = before === undefined ? path : oldPath(before, document, path)
      const kept = before?.getIn(from, true) as Node | undefined
      if (before === undefined || kept?.range === undefined || kept.range === null || kept.range[0] === kept.range[1]) {
        throw problem('*** stands for a secret, and the file has none at this place; write the secret, or a variable')
      }
      if (placeOf(stepAt(before, from)) !== placeOf(stepAt(document, path))) {
        throw problem('*** stands for a secret that was saved for another host; write the secret anew')
      }
      splices.push({ from: node.range[0], to: node.range[1], text: sourceOf(old as string, kept) })
    }
  })
  return splices.reduceRight((spliced, { from, to, text }) => `${spliced.slice(0, from)}${text}${spliced.slice(to)}`, text)
}

/** Where the step of the new path stands in the old document: steps of lists are told by their names. */
function oldPath (before: Document, document: Document, path: ReadonlyArray<string | number>): ReadonlyArray<string | number> {
  const [group, index] = path
  if ((group !== 'outputs' && group !== 'transforms') || typeof index !== 'number') return path
  const kind = group === 'outputs' ? 'output' : 'transform'
  const steps = (before.toJSON() as Readonly<Record<string, unknown>>)[group]
  const name = stepName(kind, stepAt(document, path))
  const at = Array.isArray(steps) ? steps.findIndex(step => stepName(kind, step as Json) === name) : -1
  return at < 0 ? path : [group, at, ...path.slice(2)]
}

/** The step that a path leads into; what stands at the path's first key where it is none of a list. */
function stepAt (document: Document, path: ReadonlyArray<string | number>): Json {
  const node = document.getIn(path.slice(0, typeof path[1] === 'number' ? 2 : 1), true) as Node | undefined
  return node === undefined ? null : node.toJSON() as Json
}

/** On one line where the node is a scalar; a map or list of secrets as JSON, which is YAML. */
function sourceOf (text: string, node: Node): string {
  const [from, to] = node.range as [number, number, number]
  const source = text.slice(from, to)
  return isScalar(node) && !source.includes('\n') ? source : JSON.stringify(node.toJSON())
}

function pathOf (nodes: readonly unknown[]): Array<string | number> {
  const path: Array<string | number> = []
  for (const [i, node] of nodes.entries()) {
    const parent = nodes[i - 1] as { items?: readonly unknown[], key?: unknown } | undefined
    if (parent === undefined) continue
    if ('key' in parent) path.push(String((parent.key as { value?: unknown }).value ?? parent.key))
    else if (parent.items !== undefined && !isMap(parent)) path.push(parent.items.indexOf(node))
  }
  return path
}

/** Undefined where the text is no map that could be changed in place. */
function documentOf (text: string): Document | undefined {
  try {
    // Its limits hold here, too.
    readYaml('', text)
  } catch (error) {
    if (error instanceof PlatformError) return undefined
    throw error
  }
  const document = parseDocument(text) as Document
  return isMap(document.contents) ? document : undefined
}

function merge (document: Document, path: ReadonlyArray<string | number>, value: Json): void {
  const node = document.getIn(path, true)
  if (isPlainObject(value) && isMap(node)) {
    for (const { key } of [...node.items]) {
      const name = String((key as { value?: unknown } | null)?.value ?? key)
      if (!Object.hasOwn(value, name)) document.deleteIn([...path, name])
    }
    for (const [name, inner] of Object.entries(value)) merge(document, [...path, name], inner)
    return
  }
  const current: unknown = node === undefined || node === null ? undefined : (node as Node).toJSON()
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

function invalid (message: string): PlatformError {
  return new PlatformError('CONFIG_INVALID', `The definition ${message}`)
}
