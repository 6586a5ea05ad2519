// `twolane new`: begins a plugin. The templates are plugins themselves, checked and tested like all others.

import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { PlatformError } from '../errors.ts'
import { pluginKinds } from '../loader.ts'
import type { PluginKind } from '../loader.ts'
import { reservedKeys } from '../pipeline-form.ts'
import { suggest } from '../problems.ts'
import { UsageError } from './terminal.ts'
import type { Terminal } from './terminal.ts'

const namePattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/

/** Writes the plugin's folder and its test; nothing that exists is written over. */
export async function run (args: readonly string[], { root, print }: Terminal): Promise<number> {
  const { positionals: [given = '', name = '', ...more] } = parseArgs({ args: [...args], allowPositionals: true })
  const kind = pluginKinds.find(kind => kind === given)
  if (kind === undefined) throw new UsageError(`A plugin is an input, a transform or an output${given === '' ? '' : suggest(given, pluginKinds)}`)
  if (more.length > 0) throw new UsageError('One plugin at a time')
  if (!namePattern.test(name) || name.length > 64) throw new UsageError('The name has small letters, digits and single dashes, such as my-source')
  if (Object.keys(reservedKeys[kind]).includes(name)) throw new UsageError(`The name ${name} is reserved: pipelines use it beside the plugin's`)

  const files = await filesFor(root, kind, name)
  const existing = [...files.keys()].find(file => existsSync(join(root, file)))
  if (existing !== undefined) throw new PlatformError('CONFIG_INVALID', `${existing} exists already`, { remedy: 'Choose another name.' })
  for (const [file, text] of files) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), text)
    print(`${file} written`)
  }
  if (files.size > 2) print(`Its test passes: npx tap test/plugins/${kind}s/${name}.test.ts`)
  print('After each change of its options: npx twolane docs && npx twolane schema')
  return 0
}

async function filesFor (root: string, kind: PluginKind, name: string): Promise<Map<string, string>> {
  const read = (file: string): Promise<string> => readFile(join(import.meta.dirname, 'templates', kind, file), 'utf8')
  const folder = `plugins/${kind}s/${name}`
  const files = new Map([
    [`${folder}/index.ts`, (await read('index.ts')).replaceAll("'../../../", "'../../../runtime/")],
    [`${folder}/README.md`, (await read('README.md')).replaceAll('template', name)]
  ])
  // The test leans on the suite that all plugins pass.
  if (existsSync(join(root, 'test/conform'))) {
    files.set(`test/plugins/${kind}s/${name}.test.ts`, (await read('plugin.test.ts'))
      .replaceAll("'./index.ts'", `'../../../${folder}/index.ts'`)
      .replaceAll("'../../../../test/", "'../../")
      .replaceAll(/'\.\.\/\.\.\/\.\.\/(plugin|batch)\.ts'/g, "'../../../runtime/$1.ts'"))
  }
  return files
}
