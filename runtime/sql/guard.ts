// Whether a statement may run: a list of what is allowed, over the tree that the engine itself makes of the text, and
// a second time over the text, because the tree does not print all of it (the function of APPLY, names of a WITH).
//
// A name without a database can mean nothing but what the principal may read: the statement runs in a database that holds
// exactly that (worlds.ts). So what is to be refused here are names with a database, table functions, functions and clauses.

import { isMark, isWord, nameOf, refused } from './text.ts'
import { isPlainValues } from './structure.ts'
import { mayCall, tableFunctions } from './functions.ts'
import type { Functions } from './functions.ts'
import type { Piece } from './text.ts'
import type { Node } from './tree.ts'

/** What names may mean. */
export interface Allowed {
  readonly functions: Functions
  /** Names of tables with their database, as the tree prints them. */
  readonly tables: ReadonlySet<string>
  /** All databases that the engine has. */
  readonly databases: ReadonlySet<string>
}

const kinds: ReadonlySet<string> = new Set([
  'ArrayJoin', 'Asterisk', 'ColumnsApplyTransformer', 'ColumnsExceptTransformer', 'ColumnsListMatcher', 'ColumnsRegexpMatcher', 'ColumnsReplaceTransformer',
  'ColumnsReplaceTransformer::Replacement', 'ColumnsTransformerList', 'ExpressionList', 'Function', 'Identifier', 'InterpolateElement', 'Literal',
  'OrderByElement', 'QualifiedAsterisk', 'QualifiedColumnsListMatcher', 'QualifiedColumnsRegexpMatcher', 'SampleRatio', 'SelectIntersectExceptQuery',
  'SelectQuery', 'SelectWithUnionQuery', 'Subquery', 'TableExpression', 'TableIdentifier', 'TableJoin', 'TablesInSelectQuery', 'TablesInSelectQueryElement',
  'WindowDefinition', 'WindowListElement', 'WithElement'
])
const roots: ReadonlySet<string> = new Set(['SelectWithUnionQuery', 'SelectIntersectExceptQuery', 'DescribeQuery'])
const membership = /^(?:global)?(?:not)?(?:null)?in(?:ignoreset)?$/i
const statements: Readonly<Record<string, string>> = { Set: 'SETTINGS', Explain: 'EXPLAIN', ParallelWithQuery: 'PARALLEL WITH' }

/** Throws QUERY_REFUSED with what is not allowed. */
export function checkTree (root: Node, pieces: readonly Piece[], allowed: Allowed): void {
  if (!roots.has(root.kind)) throw notAllowed(statements[root.kind] ?? root.kind.replace(/Query$/, ''))
  let applied = 0
  const walk = (node: Node, place: 'table' | 'set' | undefined): void => {
    if (!kinds.has(node.kind) && node !== root) throw notAllowed(statements[node.kind] ?? node.kind)
    if (node.kind === 'ColumnsApplyTransformer') applied++
    if (node.kind === 'TableIdentifier') checkTable(node.name, allowed)
    if (node.kind === 'Identifier' && place === 'set' && node.name.includes('.')) checkSet(node.name, allowed)
    if (node.kind === 'Function') checkFunction(node, place, allowed)
    const isMembership = node.kind === 'Function' && membership.test(node.name)
    for (const child of node.children) {
      // The right side of IN may be a table, or a table function, by name.
      if (isMembership && child.kind === 'ExpressionList') child.children.forEach((operand, i) => walk(operand, i === 1 ? 'set' : undefined))
      else walk(child, node.kind === 'TableExpression' ? 'table' : undefined)
    }
  }
  walk(root, undefined)
  if (applied > pieces.filter(piece => isWord(piece, 'APPLY')).length) throw applyRefused()
}

/** The same of the text, before anything of it is sent. `pieces` are those of the user. */
export function checkText (pieces: readonly Piece[], { functions, databases }: Pick<Allowed, 'functions' | 'databases'>): void {
  for (const [i, piece] of pieces.entries()) {
    const next = pieces[i + 1]
    if (isWord(piece, 'INTO') && isWord(next, 'OUTFILE')) throw notAllowed('INTO OUTFILE')
    if (isWord(piece, 'SETTINGS') && nameOf(next) !== undefined && isMark(pieces[i + 2], '=')) throw notAllowed('SETTINGS')
    if (isWord(piece, 'IDENTIFIER') && isMark(pieces[i - 1], ':') && isMark(next, '}')) throw refused('A parameter of the type Identifier is not allowed', 'Write the name into the statement.')
    const name = nameOf(piece)
    if (name === undefined) continue
    if (isMark(next, '(') && functions.denied.has(name.toLowerCase())) throw callRefused(name)
    if (isWord(piece, 'APPLY')) checkApplied(pieces, i, functions)
    const [database, rest] = name.split('.', 2)
    if (piece.kind === 'name' && rest !== undefined && databases.has(database as string)) throw tableRefused(name)
  }
}

function checkTable (name: string, { tables }: Allowed): void {
  if (name.includes('.') && !tables.has(name)) throw tableRefused(name)
}

function checkSet (name: string, allowed: Allowed): void {
  if (allowed.tables.has(name)) return
  const database = name.slice(0, name.indexOf('.'))
  if (allowed.databases.has(database)) throw tableRefused(name)
}

function checkFunction (node: Node, place: 'table' | 'set' | undefined, { functions }: Allowed): void {
  const { name } = node
  const isTable = tableFunctions.has(name.toLowerCase())
  if (place === 'table' && !isTable) throw refused(`The table function ${name} is not allowed`, `Allowed are datasets, subqueries, and ${[...tableFunctions].join(', ')}.`)
  if (isTable && /values$/i.test(name) && !isPlainValues(node)) throw refused('These declarations of columns are not allowed', 'Write values(\'a Int8, b String\', (1, \'x\')): names with types and nothing else, as one text.')
  if (isTable && place !== undefined) return
  if (!mayCall(functions, name)) throw callRefused(name)
}

function checkApplied (pieces: readonly Piece[], at: number, functions: Functions): void {
  const name = appliedName(pieces, at)
  if (name === undefined) throw applyRefused()
  if (!mayCall(functions, name)) throw callRefused(name)
}

/** Of `APPLY(sum)` and `APPLY(quantile(0.5))`; undefined: another form, such as a lambda, which could hold anything. */
function appliedName (pieces: readonly Piece[], at: number): string | undefined {
  const start = at + 2
  const name = isMark(pieces[at + 1], '(') && pieces[start]?.kind === 'word' ? nameOf(pieces[start]) : undefined
  if (name === undefined) return undefined
  if (isMark(pieces[start + 1], ')')) return name
  if (!isMark(pieces[start + 1], '(')) return undefined
  let end = start + 2
  while (pieces[end] !== undefined && !isMark(pieces[end], ')')) {
    const piece = pieces[end]
    const plain = piece?.kind === 'string' || isMark(piece, '.') || isMark(piece, ',') || isMark(piece, '-') || (piece?.kind === 'word' && /^\d/.test(piece.text))
    if (!plain) return undefined
    end++
  }
  return isMark(pieces[end + 1], ')') ? name : undefined
}

function applyRefused (): Error {
  return refused('This form of APPLY is not allowed', 'Write APPLY(function) or APPLY(function(number)), and a name that is not APPLY in backquotes.')
}

function notAllowed (what: string): Error {
  return refused(`${what} is not allowed`, 'Allowed is one SELECT over the datasets that are granted; DESCRIBE, SHOW DATABASES and SHOW TABLES.')
}

function callRefused (name: string): Error {
  return refused(`The function ${name} is not allowed`, 'Allowed are functions that compute from their arguments alone.')
}

/** Says the same of what is not there and of what is not granted. */
export function tableRefused (name: string): Error {
  return refused(`There is no dataset ${name}, or it is not granted`, 'SHOW TABLES lists the datasets that are; an admin grants others.')
}
