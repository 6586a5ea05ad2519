// Variables in YAML: replaced after the parse and in scalar values only, so that no variable can add structure.
//
//   ${NAME}           the variable; an error where it is not set
//   ${NAME:default}   the default where it is not set; it may be empty and may hold colons, but no closing brace and no variable
//   $${NAME}          the text ${NAME}
//
// A value that is one variable and nothing else is read as YAML would read it, so `${PORT:5000}` is a number; in quotes,
// or inside a longer text, it is text. Keys are left alone.

import { configInvalid, formatPath, quote, suggest } from './problems.ts'
import type { Path, Problem } from './problems.ts'
import type { Json } from './plugin.ts'
import type { YamlFile } from './yaml.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The file with its variables replaced. */
export interface Interpolated extends YamlFile {
  /** Texts that came from the environment; logs and answers show `***` for them. */
  readonly secrets: readonly string[]
  /** Printed paths of the values that hold one. */
  readonly secretPaths: ReadonlySet<string>
}

// Shorter values are no secrets, and hiding every `1` would make a log unreadable.
const secretCharactersMin = 4

export function interpolate (yaml: YamlFile, env: Environment): Interpolated {
  const problems: Problem[] = []
  const secrets = new Set<string>()
  const secretPaths = new Set<string>()
  const replaced = new Map<string, string>()

  function visit (value: Json, path: Path): Json {
    if (typeof value === 'string') return value.includes('${') ? text(value, path) : value
    if (Array.isArray(value)) return value.map((item, i) => visit(item as Json, [...path, i]))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item as Json, [...path, key])]))
  }

  function text (source: string, path: Path): Json {
    const { parts, errors } = expand(source, env)
    problems.push(...errors.map(message => yaml.problem(path, message)))
    const result = parts.map(part => part.text).join('')
    const printed = formatPath(path)
    if (parts.some(part => part.kind !== 'text')) replaced.set(printed, result)
    for (const part of parts) {
      if (part.kind !== 'variable') continue
      secretPaths.add(printed)
      if (part.text.length >= secretCharactersMin) secrets.add(part.text)
    }
    return parts.length === 1 && parts[0]?.kind !== 'text' && yaml.plain(path) ? coreScalar(result) : result
  }

  const value = visit(yaml.value, [])
  if (problems.length > 0) throw configInvalid(problems)
  return { ...yaml, value, replaced, secrets: [...secrets], secretPaths }
}

/** What a text becomes where the environment is that; what is not set stays as it stands. `isVariable`: it is one variable that is set, and nothing else. */
export function expanded (source: string, env: Environment): { readonly text: string, readonly isVariable: boolean } {
  const { parts, errors } = expand(source, env)
  if (errors.length > 0) return { text: source, isVariable: false }
  return { text: parts.map(({ text }) => text).join(''), isVariable: parts.length === 1 && parts[0]?.kind === 'variable' }
}

/** A value for an error message; one that a variable made is not shown. */
export function shown (yaml: YamlFile, path: Path, text: string): string {
  return yaml.replaced.has(formatPath(path)) ? 'of that name (it came from a variable)' : quote(text)
}

/** As `suggest`, without a guess that would tell what a variable holds. */
export function suggestAt (yaml: YamlFile, path: Path, given: string, allowed: readonly string[]): string {
  return suggest(yaml.replaced.has(formatPath(path)) ? '' : given, allowed)
}

interface Part {
  readonly kind: 'text' | 'variable' | 'default'
  readonly text: string
}

const reference = /\$?\$\{([^}]*)(\}?)/g
const variable = /^([A-Za-z_][A-Za-z0-9_]*)(?::(.*))?$/s

function expand (source: string, env: Environment): { parts: Part[], errors: string[] } {
  const parts: Part[] = []
  const errors: string[] = []
  let from = 0
  for (const match of source.matchAll(reference)) {
    if (match.index > from) parts.push({ kind: 'text', text: source.slice(from, match.index) })
    from = match.index + match[0].length
    if (match[0].startsWith('$$')) {
      parts.push({ kind: 'text', text: match[0].slice(1) })
      continue
    }
    const [, name, fallback] = variable.exec(match[1] as string) ?? []
    const given = name === undefined || !Object.hasOwn(env, name) ? undefined : env[name]
    if (match[2] === '') errors.push('a variable is not closed with }; write $${ for the text ${')
    else if (name === undefined) errors.push('a variable has letters, digits and _ in its name, and a default stands after a colon; write $${ for the text ${')
    else if (fallback?.includes('${') === true) errors.push(`the default of ${name} holds another variable, which would not be replaced; give it a text without $\{`)
    else if (given !== undefined) parts.push({ kind: 'variable', text: given })
    else if (fallback !== undefined) parts.push({ kind: 'default', text: fallback })
    else errors.push(`the variable ${name} is not set; set it in the environment, or give a default: $\{${name}:default}`)
  }
  if (from < source.length) parts.push({ kind: 'text', text: source.slice(from) })
  return { parts, errors }
}

/** A text as the value that YAML's core schema gives it; integers beyond 2^53 stay text. */
export function coreScalar (text: string): Json {
  if (/^(?:~|null|Null|NULL)$/.test(text)) return null
  if (/^(?:true|True|TRUE)$/.test(text)) return true
  if (/^(?:false|False|FALSE)$/.test(text)) return false
  const number = Number(text)
  if (/^(?:[-+]?\d+|0o[0-7]+|0x[\da-fA-F]+)$/.test(text)) return Number.isSafeInteger(number) ? number : text
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return Number.isFinite(number) ? number : text
  return text
}
