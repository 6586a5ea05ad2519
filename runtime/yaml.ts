// Reading YAML: the core schema of YAML 1.2 and nothing that can surprise.
//
//   limits      1 MiB of text, 250,000 tokens, 50 levels, 50 aliases, 100,000 values after aliases are replaced
//   refused     a second document, unknown tags, a key twice, merge keys, `__proto__` and its like, keys that are no
//               text, infinity, and integers beyond 2^53 (JavaScript would change them: quote them)
//   positions   every value remembers where it stands, so that each later check can point at it

import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument } from 'yaml'
import type { Document, Node, Pair, YAMLMap, YAMLSeq } from 'yaml'
import { configInvalid, formatPath, formatPlace, quote } from './problems.ts'
import type { Path, Problem } from './problems.ts'
import type { Json } from './plugin.ts'

export type { Path, Problem } from './problems.ts'
export { checkYaml } from './check.ts'

export interface YamlFile {
  /** The name that errors print. */
  readonly file: string
  readonly value: Json
  /** `pipelines/quotes.yaml:7:5 outputs[0].lake.folder`; a path that the file does not have points at its nearest parent. */
  where (path: Path): string
  /** A problem at that place. */
  problem (path: Path, message: string): Problem
  /** Whether the scalar at that place stands without quotes, so that YAML gave it its type. */
  plain (path: Path): boolean
  /** The text of the value at exactly that place and where it begins in the file; undefined: the file does not have it. */
  source (path: Path): { readonly from: number, readonly text: string } | undefined
  /** Texts of the scalars that variables made, by printed path: they may be read as another type, and are never printed. */
  readonly replaced: ReadonlyMap<string, string>
}

const textBytesMax = 2 ** 20
const tokensMax = 250_000
const depthMax = 50
const aliasesMax = 50
const syntaxErrorsMax = 100
const valuesMax = 100_000
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype'])

/** Where a value stands, and its children. */
interface Place {
  readonly offset: number
  /** Of the value in the text; undefined: it has no text. */
  readonly range?: readonly [number, number] | undefined
  readonly plain: boolean
  readonly children?: Map<string | number, Place>
}

const options = {
  version: '1.2',
  schema: 'core',
  strict: true,
  merge: false,
  // Checked by the walk: the library compares every pair of keys.
  uniqueKeys: false,
  intAsBigInt: true,
  resolveKnownTags: false,
  prettyErrors: false
} as const

/** Parses `text`. Whatever is wrong with it comes as one CONFIG_INVALID that lists all problems. */
export function readYaml (file: string, text: string): YamlFile {
  // A byte order mark would shift the columns of line 1.
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text
  const lineCounter = new LineCounter()
  const problem = (offset: number, path: Path, message: string): Problem => {
    const { line, col } = lineCounter.linePos(Math.min(offset, body.length))
    return { file, line: Math.max(1, line), column: Math.max(1, col), path: formatPath(path), message }
  }
  const excess = excessOf(body)
  if (excess !== undefined) throw configInvalid([problem(0, [], excess)])

  const document = parse(body, lineCounter)
  const syntax = syntaxErrors(document, body).map(({ offset, message }) => problem(offset, [], message))
  if (syntax.length > 0) throw configInvalid(syntax)

  const walk = new Walk((offset, path, message) => problem(offset, path, message))
  const { value, place } = walk.node(document.contents as Node | null, [], 0)
  if (walk.problems.length > 0) throw configInvalid(walk.problems)

  const at = (path: Path): Place => nearestPlace(place, path)
  return {
    file,
    value,
    where: path => formatPlace(problem(at(path).offset, path, '')),
    problem: (path, message) => problem(at(path).offset, path, message),
    plain: path => at(path).plain,
    source (path) {
      const range = exactPlace(place, path)?.range
      return range === undefined ? undefined : { from: range[0] + text.length - body.length, text: body.slice(...range) }
    },
    replaced: new Map()
  }
}

/** The limits that keep the parser itself quick: its time grows faster than the text where the text is built to that end. */
function excessOf (body: string): string | undefined {
  if (Buffer.byteLength(body) > textBytesMax) return 'the file is larger than 1 MiB'
  let tokens = 0
  let depth = 0
  for (const token of new Lexer().lex(body)) {
    if (++tokens > tokensMax) return `the file holds more than ${tokensMax} words and signs`
    if (token === '[' || token === '{') depth++
    else if (token === ']' || token === '}') depth--
    if (depth > depthMax) return tooDeepMessage
  }
  return undefined
}

function parse (body: string, lineCounter: LineCounter): Document {
  return parseDocument(body, { ...options, lineCounter }) as unknown as Document
}

function nearestPlace (root: Place, path: Path): Place {
  let place = root
  for (const step of path) {
    const child = place.children?.get(step)
    if (child === undefined) break
    place = child
  }
  return place
}

function exactPlace (root: Place, path: Path): Place | undefined {
  return path.reduce<Place | undefined>((place, step) => place?.children?.get(step), root)
}

const tooDeepMessage = `nested more than ${depthMax} levels deep`

const syntaxMessages: Readonly<Record<string, string>> = {
  ALIAS_PROPS: 'an alias takes no anchor and no tag',
  BAD_ALIAS: 'an alias or anchor without a name; quote a text that begins with * or &',
  BAD_COLLECTION_TYPE: 'the tag does not fit the value; leave it out',
  BAD_DIRECTIVE: 'unknown directive; quote a text that begins with %',
  BAD_DQ_ESCAPE: 'unknown escape in a text in double quotes; write \\\\ for a backslash, or use single quotes',
  BAD_INDENT: 'wrong indentation, or a bracket that is not closed',
  BAD_PROP_ORDER: 'an anchor or tag stands in the wrong place',
  BAD_SCALAR_START: 'a plain text cannot begin with this character; quote it',
  BLOCK_AS_IMPLICIT_KEY: 'this cannot stand here; quote a text that holds ": "',
  BLOCK_IN_FLOW: 'a block cannot stand inside brackets',
  KEY_OVER_1024_CHARS: 'a key is longer than 1024 characters',
  MISSING_CHAR: 'a closing quote, bracket, colon or comma, or a space after one, is missing',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line; is a colon missing?',
  MULTIPLE_ANCHORS: 'a value has two anchors',
  MULTIPLE_DOCS: 'a second document begins here; a file holds one',
  MULTIPLE_TAGS: 'a value has two tags',
  RESOURCE_EXHAUSTION: tooDeepMessage,
  TAB_AS_INDENT: 'indented with a tab; use spaces',
  TAG_RESOLVE_FAILED: 'unknown tag; quote a text that begins with !',
  UNEXPECTED_TOKEN: 'this cannot stand here'
}

/** One a line, and what follows from an earlier one is left out: the parser stumbles on after the first. */
function syntaxErrors ({ errors, warnings }: Document, body: string): Array<{ offset: number, message: string }> {
  const lines = new Set<number>()
  const found: Array<{ offset: number, message: string }> = []
  for (const { code, pos: [offset] } of [...errors, ...warnings].slice(0, syntaxErrorsMax).sort((a, b) => a.pos[0] - b.pos[0])) {
    const start = body.lastIndexOf('\n', offset - 1) + 1
    if (lines.has(start) || (found.length > 0 && code === 'UNEXPECTED_TOKEN')) continue
    lines.add(start)
    const line = body.slice(start, Math.min(start + 1000, (body.indexOf('\n', start) + 1 || body.length + 1) - 1))
    const hint = /[[{].*[^'"$]\$[{]/.test(line) ? '; inside { } and [ ] a variable needs quotes' : ''
    found.push({ offset, message: (syntaxMessages[code] ?? 'this is not YAML') + hint })
  }
  return found
}

interface Walked {
  readonly value: Json
  readonly place: Place
}

/** From the library's nodes to plain values and their places. */
class Walk {
  readonly problems: Problem[] = []
  readonly #problem: (offset: number, path: Path, message: string) => Problem
  readonly #anchors = new Map<string, Node>()
  readonly #open = new Set<Node>()
  #aliases = 0
  #values = 0

  constructor (problem: (offset: number, path: Path, message: string) => Problem) {
    this.#problem = problem
  }

  node (node: Node | null, path: Path, offset: number): Walked {
    if (node === null) return { value: null, place: { offset, plain: true } }
    const start = node.range?.[0] ?? offset
    if (path.length > depthMax) return this.#refuse(start, path.slice(0, 3), tooDeepMessage)
    // Said once: the rest of the file is not walked.
    if (++this.#values > valuesMax) return this.#values === valuesMax + 1 ? this.#refuse(start, [], `more than ${valuesMax} values`) : { value: null, place: { offset: start, plain: true } }
    if (isAlias(node)) return this.#alias(node.source, path, start)
    if ('anchor' in node && node.anchor !== undefined) this.#anchors.set(node.anchor, node)
    this.#open.add(node)
    try {
      if (isMap(node)) return this.#map(node, path, start)
      if (isSeq(node)) return this.#list(node, path, start)
      return isScalar(node) ? this.#scalar(node.value, { offset: start, plain: node.type === 'PLAIN', range: textRange(node) }, path) : this.#refuse(start, path, 'this is no value')
    } finally {
      this.#open.delete(node)
    }
  }

  #alias (name: string, path: Path, offset: number): Walked {
    const target = this.#anchors.get(name)
    if (target === undefined) return this.#refuse(offset, path, `no anchor ${quote(name)} stands before this alias; quote a text that begins with *`)
    if (this.#open.has(target)) return this.#refuse(offset, path, `the alias ${quote(name)} stands inside its own anchor`)
    if (++this.#aliases > aliasesMax) return this.#aliases === aliasesMax + 1 ? this.#refuse(offset, path, `more than ${aliasesMax} aliases`) : { value: null, place: { offset, plain: true } }
    return this.node(target, path, offset)
  }

  #map (map: YAMLMap, path: Path, offset: number): Walked {
    const value: Record<string, Json> = {}
    const children = new Map<string | number, Place>()
    for (const pair of map.items as Array<Pair<Node, Node | null>>) {
      const keyOffset = pair.key?.range?.[0] ?? offset
      const key = this.#key(pair.key, keyOffset, path)
      if (key === undefined) continue
      if (children.has(key)) this.#refuse(keyOffset, [...path, key], 'stands twice')
      const walked = this.node(pair.value, [...path, key], keyOffset)
      value[key] = walked.value
      children.set(key, { ...walked.place, offset: keyOffset })
    }
    return { value, place: { offset, plain: false, children, range: textRange(map) } }
  }

  /** A key is the text that stands there, whatever type YAML gives it: `31:` and `"31":` are the same. */
  #key (key: Node | null, offset: number, path: Path): string | undefined {
    if (!isScalar(key)) {
      this.#refuse(offset, path, 'a key must be a text')
      return undefined
    }
    const text = typeof key.value === 'string' ? key.value : key.source ?? ''
    if (text === '' && key.type === 'PLAIN') this.#refuse(offset, path, 'a key must be a text')
    else if (text === '<<' && key.type === 'PLAIN') this.#refuse(offset, path, 'merge keys (<<) are not supported; write the keys out')
    else if (forbiddenKeys.has(text)) this.#refuse(offset, path, `the key ${quote(text)} is not allowed`)
    else return text
    return undefined
  }

  #list (list: YAMLSeq, path: Path, offset: number): Walked {
    const value: Json[] = []
    const children = new Map<string | number, Place>()
    for (const [i, item] of list.items.entries()) {
      const walked = this.node(item as Node | null, [...path, i], offset)
      value.push(walked.value)
      children.set(i, walked.place)
    }
    return { value, place: { offset, plain: false, children, range: textRange(list) } }
  }

  #scalar (value: unknown, place: Place, path: Path): Walked {
    if (typeof value === 'bigint') {
      const number = Number(value)
      return Number.isSafeInteger(number) ? { value: number, place } : this.#refuse(place.offset, path, 'an integer beyond 2^53 loses digits; quote it')
    }
    if (typeof value === 'number' && !Number.isFinite(value)) return this.#refuse(place.offset, path, 'infinity and NaN are not allowed; quote a text')
    return { value: (value ?? null) as Json, place }
  }

  #refuse (offset: number, path: Path, message: string): Walked {
    this.problems.push(this.#problem(offset, path, message))
    return { value: null, place: { offset, plain: true } }
  }
}

function textRange ({ range }: Node): readonly [number, number] | undefined {
  return range == null ? undefined : [range[0], range[1]]
}
