// `twolane docs`: fills what READMEs say about options from the plugins themselves.
//
//   plugins/<kind>s/<name>/README.md   <!-- options --> … <!-- /options -->
//   plugins/README.md                  <!-- plugins --> … <!-- /plugins -->
//   config/README.md                   <!-- options --> … <!-- /options -->

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { platformKeys } from '../config.ts'
import { listPlugins, pluginKinds } from '../loader.ts'
import type { ListedPlugin } from '../loader.ts'
import type { Json, Option } from '../plugin.ts'
import { bringUpToDate, textOf } from './generated.ts'
import type { Terminal } from './terminal.ts'

/** With --check it writes nothing. Resolves to 1 where a README is missing, without its marks, or stale. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { check: { type: 'boolean', default: false } } })
  const plugins = await listPlugins(terminal.root)
  const files = new Map<string, string>()
  let missing = 0
  const fill = async (file: string, mark: string, content: string): Promise<void> => {
    const text = await textOf(join(terminal.root, file))
    const filled = text === undefined ? undefined : between(text, mark, content)
    if (filled !== undefined) files.set(file, filled)
    else {
      missing++
      terminal.print(text === undefined ? `${file} is missing` : `${file} has no <!-- ${mark} --> and <!-- /${mark} -->`)
    }
  }
  for (const plugin of plugins) {
    if (plugin.problem === undefined) await fill(`plugins/${plugin.kind}s/${plugin.name}/README.md`, 'options', optionTable(plugin))
  }
  await fill('plugins/README.md', 'plugins', pluginList(plugins))
  await fill('config/README.md', 'options', platformTable())
  const code = await bringUpToDate(files, { check: values.check, command: 'docs' }, terminal)
  return missing > 0 ? 1 : code
}

/** The text with `content` between its marks; undefined: it has none. */
function between (text: string, mark: string, content: string): string | undefined {
  const [open, close] = [`<!-- ${mark} -->`, `<!-- /${mark} -->`]
  const from = text.indexOf(open)
  const to = text.indexOf(close, from)
  if (from < 0 || to < 0) return undefined
  return `${text.slice(0, from + open.length)}\n${content}\n${text.slice(to)}`
}

function optionTable ({ options, shorthand, name }: ListedPlugin): string {
  const rows = Object.entries(options).map(([name, option]) => [`\`${name}\``, typeText(option), defaultText(option), meaning(option)])
  if (rows.length === 0) return 'It has no options.'
  const short = shorthand === undefined ? '' : `\n\n\`${name}: x\` is short for \`${name}: { ${shorthand}: x }\`.`
  return table(['option', 'type', 'default', 'meaning'], rows) + short
}

function platformTable (): string {
  const rows = Object.entries(platformKeys).map(([name, { variable, schema }]) => [`\`${name}\``, `\`${variable}\``, defaultText(schema as unknown as Option), escape(schema.description)])
  return table(['key', 'variable', 'default', 'meaning'], rows)
}

function pluginList (plugins: readonly ListedPlugin[]): string {
  return pluginKinds.map(kind => {
    const rows = plugins.filter(plugin => plugin.kind === kind && plugin.problem === undefined).map(({ name, description, guarantee }) => [
      `[${name}](${kind}s/${name}/README.md)`, escape(description.replace(/\.$/, '')), ...(kind === 'output' ? [guarantee ?? ''] : [])
    ])
    return table([kind, 'what it does', ...(kind === 'output' ? ['after a crash'] : [])], rows)
  }).join('\n\n')
}

function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

const typeNames = { string: 'text', number: 'number', integer: 'whole number', boolean: 'true or false', array: 'list', object: 'map' } as const

function typeText ({ type, items, minimum, maximum, enum: values }: Option): string {
  if (values !== undefined) return values.map(value => `\`${String(value)}\``).join(', ')
  const of = typeof items?.type === 'string' ? ` of ${typeNames[items.type]}s`.replace('true or falses', 'true or false') : ''
  const range = minimum !== undefined && maximum !== undefined ? `, ${minimum} to ${maximum}` : minimum !== undefined ? `, from ${minimum}` : maximum !== undefined ? `, to ${maximum}` : ''
  return typeNames[type] + of + range
}

function defaultText (option: Option): string {
  if (!('default' in option)) return '**required**'
  return option.default === null || option.default === '' ? '' : `\`${escape(valueText(option.default as Json))}\``
}

function meaning ({ description, writeOnly, examples }: Option): string {
  const example = examples?.[0] === undefined ? '' : ` Such as \`${valueText(examples[0])}\`.`
  return escape(`${/[.!?]$/.test(description) ? description : `${description}.`}${example}${writeOnly === true ? ' Secret: never shown.' : ''}`)
}

function valueText (value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function escape (text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')
}
