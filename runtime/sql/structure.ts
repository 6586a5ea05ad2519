// The first argument of values('a Int8, b String', …) is SQL in a text: declarations of columns, which may hold expressions
// (`b String ALIAS file('…')`). Allowed are names with types, and nothing else; what a text is made by is not looked into.

import type { Node } from './tree.ts'

const types: ReadonlySet<string> = new Set([
  ...[8, 16, 32, 64, 128, 256].flatMap(bits => [`Int${bits}`, `UInt${bits}`]), 'Float32', 'Float64', 'BFloat16', 'Bool', 'String', 'FixedString', 'UUID', 'IPv4', 'IPv6',
  'Date', 'Date32', 'DateTime', 'DateTime64', 'Time', 'Time64', 'Decimal', 'Decimal32', 'Decimal64', 'Decimal128', 'Decimal256', 'Enum', 'Enum8', 'Enum16',
  'Array', 'Tuple', 'Map', 'Nullable', 'LowCardinality', 'JSON', 'Dynamic', 'Variant'
])
const part = /\s*(?:([A-Za-z_]\w*)|(\d+)|'([\w ./:+-]*)'|([(),=]))/y

/** Whether the arguments of `values` hold no column that is made by an expression. */
export function isPlainValues ({ children }: Node): boolean {
  const first = children.find(({ kind }) => kind === 'ExpressionList')?.children[0]
  if (first === undefined) return true
  // Rows without declarations begin with a tuple or a number; all else could become a text.
  if (first.kind === 'Function') return first.name === 'tuple'
  if (first.kind !== 'Literal') return false
  if (!first.text.startsWith('\'')) return true
  const [, declarations] = /^'(.*)'(?: \(alias [A-Za-z_]\w*\))?$/s.exec(first.text) ?? []
  return declarations !== undefined && isDeclaration(declarations.replaceAll('\\\'', '\''))
}

/** `name Type, name Type(…)`: outside brackets a name and a type in turn, inside them no call of anything but a type. */
function isDeclaration (given: string): boolean {
  const text = given.trimEnd()
  let depth = 0
  let words = 0
  let type = ''
  for (part.lastIndex = 0; part.lastIndex < text.length;) {
    const found = part.exec(text)
    if (found === null) return false
    const [, word, number, quoted, mark] = found
    if (mark === '(') {
      if (!types.has(type)) return false
      depth++
    } else if (mark === ')') depth--
    if (depth === 0 && (number !== undefined || quoted !== undefined || mark === '=')) return false
    if (depth === 0 && mark === ',') {
      if (words !== 2) return false
      words = 0
    }
    if (depth === 0 && word !== undefined) {
      words++
      if (words > 2 || (words === 2 && !types.has(word))) return false
    }
    type = word ?? ''
  }
  return depth === 0 && words === 2
}
