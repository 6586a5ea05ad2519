// What the tests of other projects check, and where it is checked here: the tables of this folder name tests that are
// there, and leave out no case.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const root = join(import.meta.dirname, '..', '..')

/** One line of a table. */
interface Case {
  readonly name: string
  readonly tests: ReadonlyArray<{ readonly file: string, readonly claim: string }>
  readonly whyNot: string
}

/** The cases below one heading, which says in brackets how many there are at the origin. */
interface Section {
  readonly heading: string
  readonly cases: readonly Case[]
}

function sectionsOf (text: string): Section[] {
  return text.split(/^## /m).slice(1).map(part => {
    const [heading = '', ...lines] = part.split('\n')
    // Below the names of the columns and the line under them.
    const rows = lines.filter(line => line.startsWith('|')).slice(2)
    return { heading, cases: rows.map(caseOf) }
  })
}

function caseOf (line: string): Case {
  const cells = line.split('|').slice(1, -1).map(cell => cell.trim())
  const [name = '', tests = '', whyNot = ''] = cells
  if (cells.length !== 3) throw new Error(`a case has three columns: ${line}`)
  return { name, whyNot, tests: tests === '' ? [] : tests.split('<br>').map(testOf) }
}

function testOf (text: string): { readonly file: string, readonly claim: string } {
  const found = /^`(?<file>[^`]+)`: (?<claim>.+)$/.exec(text)
  if (found === null) throw new Error(`a test is written as \`file\`: claim, and not as ${text}`)
  return found.groups as { file: string, claim: string }
}

const sources = new Map<string, string>()

/** Whether the file has the claim as one of its texts, as it is written there. */
function claims (file: string, claim: string): boolean {
  const source = sources.get(file) ?? readFileSync(join(root, file), 'utf8').replaceAll(/\\(['"`])/g, '$1')
  sources.set(file, source)
  return ['\'', '"', '`'].some(quote => source.includes(`${quote}${claim}${quote}`))
}

for (const table of globSync('*.md', { cwd: import.meta.dirname }).filter(name => name !== 'README.md').sort()) {
  await t.test(`${table} names tests that are there, and a reason where there is none`, async t => {
    const sections = sectionsOf(readFileSync(join(import.meta.dirname, table), 'utf8'))
    t.ok(sections.length > 0, 'it has cases')
    for (const { heading, cases } of sections) {
      t.equal(cases.length, Number(/\((\d+)\)$/.exec(heading)?.[1]), `${heading}: all of them`)
      t.equal(new Set(cases.map(({ name }) => name)).size, cases.length, `${heading}: each one once`)
      for (const { name, tests, whyNot } of cases) {
        if (tests.length === 0 && whyNot === '') t.fail(`${name} has neither a test nor a reason`)
        for (const { file, claim } of tests) if (!claims(file, claim)) t.fail(`${name}: ${file} does not claim "${claim}"`)
      }
    }
  })
}
