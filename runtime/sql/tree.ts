// What the engine itself makes of a statement: the answer of EXPLAIN AST, one line a node, indented by its depth.
//
//   SelectQuery (children 2)
//    ExpressionList (children 1)
//     Function count (alias n) (children 1)

/** One node. Of a few kinds the engine does not print everything: guard.ts has the list. */
export interface Node {
  readonly kind: string
  /** What stands behind the kind: the name of a function, table or column; empty where there is none. */
  readonly name: string
  /** All that stands behind the kind. */
  readonly text: string
  readonly children: readonly Node[]
}

interface Growing extends Node {
  readonly children: Growing[]
  readonly expected: number
}

const NODES_MAX = 50_000
const form = /^( *)([A-Za-z:]+)(| .*?)(?: \(children (\d+)\))?$/

/** undefined: the lines are not one whole tree. */
export function readTree (lines: readonly string[]): Node | undefined {
  if (lines.length > NODES_MAX) return undefined
  const path: Growing[] = []
  let root: Growing | undefined
  for (const line of lines) {
    const found = form.exec(line)
    if (found === null) return undefined
    const [, indent = '', kind = '', rest = '', children = '0'] = found
    const node: Growing = { kind, name: rest.slice(1).split(/(?:^| )\(alias /, 1)[0] ?? '', text: rest.slice(1), children: [], expected: Number(children) }
    const parent = path[indent.length - 1]
    if (indent.length > path.length || (indent.length === 0) !== (root === undefined)) return undefined
    path.length = indent.length
    path.push(node)
    if (parent === undefined) root = node
    else parent.children.push(node)
  }
  return root !== undefined && whole(root) ? root : undefined
}

function whole (node: Growing): boolean {
  return node.children.length === node.expected && node.children.every(whole)
}
