// The text of a file as it may be shown: what an option holds that its plugin calls a secret is ***, and so is what looks
// like a secret in a file that no plugin explains. A bare variable shows nothing and stays.

import { isMap, isScalar, isSeq, parseDocument, visit } from 'yaml'
import { mask } from '../pipeline.ts'
import { readYaml } from '../yaml.ts'
import { kindOf } from './project-files.ts'
import { pluginOf } from './step-name.ts'
import type { Node, Pair } from 'yaml'
import type { Json } from '../plugin.ts'

/** Names of options that hold secrets, by kind and plugin, such as `output http`. */
export type SecretOptions = ReadonlyMap<string, ReadonlySet<string>>

const bareVariable = /^["']?\$\{\w+\}["']?$/
const secretName = /pass|secret|token|credential|api_?key|access_key|private|^auth$|webhook/i
/** A password in an address; like a client, it takes what stands before the last @. */
const inAddress = /(:\/\/[^\s:/?#@'"]*:)(?!\$\{\w+\}@)[^\s/?#'"]+(?=@)/g

/** Never throws: where the text is no YAML, whole lines that name a secret are masked, with the lines below that belong to them. */
export function publicText (path: string, text: string, secrets: SecretOptions): string {
  const kind = kindOf(path)
  if (kind === 'schema' || kind === 'model') return text
  // The limits of YAML hold here, too: a text beyond them is not parsed.
  if (!isReadable(path, text)) return inAddresses(byLine(text))
  const document = parseDocument(text, { uniqueKeys: false })
  if (document.errors.length > 0 || !isMap(document.contents)) return inAddresses(byLine(text))
  const places: Array<readonly [number, number]> = []
  const take = (node: unknown): void => {
    const { range } = (node ?? {}) as { range?: readonly [number, number, number] | null }
    if (range != null && !bareVariable.test(text.slice(range[0], range[1]).trim())) places.push([range[0], range[1]])
  }
  if (kind === 'pipeline') takeOptions(document.contents as Node, secrets, take)
  visit(document, {
    Pair (_, { key, value }: Pair) {
      // A plugin says itself which of its options are secret; in a file without plugins the name has to do.
      if (kind === 'config' && isScalar(key) && secretName.test(String(key.value)) && isScalar(value) && value.value !== '' && value.value !== null) take(value)
    }
  })
  return inAddresses(masked(text, places))
}

function takeOptions (root: Node, secrets: SecretOptions, take: (node: unknown) => void): void {
  if (!isMap(root)) return
  const step = (kind: 'input' | 'transform' | 'output', node: unknown): void => {
    if (!isMap(node)) return
    const plugin = pluginOf(kind, node.toJSON() as Json)
    const known = secrets.get(`${kind} ${plugin}`)
    const options = node.get(plugin, true)
    if (!isMap(options)) return
    for (const { key, value } of options.items) {
      const name = String((key as { value?: unknown }).value ?? key)
      // An option that the plugin does not have may be a secret that was written under a wrong name.
      if (known?.has(name) === true || secretName.test(name)) take(value)
    }
  }
  step('input', root.get('input', true))
  for (const [kind, group] of [['transform', 'transforms'], ['output', 'outputs']] as const) {
    const list = root.get(group, true)
    if (isSeq(list)) for (const item of list.items) step(kind, item)
  }
}

/** From the end on, so that the places before stay right; an alias may give one place twice. */
function masked (text: string, places: ReadonlyArray<readonly [number, number]>): string {
  let shown = text
  let end = Infinity
  for (const [from, to] of places.toSorted((a, b) => b[0] - a[0])) {
    if (to > end) continue
    shown = `${shown.slice(0, from)}'${mask}'${text.slice(from, to).endsWith('\n') ? '\n' : ''}${shown.slice(to)}`
    end = from
  }
  return shown
}

function isReadable (path: string, text: string): boolean {
  try {
    readYaml(path, text)
    return true
  } catch {
    return false
  }
}

/** Lines that stand deeper than a name that is masked belong to its value. */
function byLine (text: string): string {
  let deeperThan: number | undefined
  return text.split('\n').flatMap(line => {
    const indent = line.search(/\S/)
    if (deeperThan !== undefined && (indent === -1 || indent > deeperThan)) return []
    deeperThan = undefined
    const [, before = '', name = ''] = /^(\s*(?:-\s+)?["']?([\w-]+)["']?\s*:)/.exec(line) ?? []
    if (!secretName.test(name) && !/[{,]\s*["']?[\w-]*(?:pass|secret|token|key)[\w-]*["']?\s*:/i.test(line)) return [line]
    deeperThan = indent
    return [`${before} '${mask}'`]
  }).join('\n')
}

function inAddresses (text: string): string {
  return text.replace(inAddress, `$1${mask}`)
}
