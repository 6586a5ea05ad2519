import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { root } from './system/project.ts'
import { eventually } from './waiting.ts'
import type { AddressInfo } from 'node:net'

interface Instruction { readonly name: string, readonly value: string }

/** Instructions of a Dockerfile, by stage. */
function parse (text: string): Instruction[][] {
  const lines = text.replaceAll(/\\\n\s*/g, '').split('\n').filter(line => line !== '' && !line.startsWith('#'))
  const stages: Instruction[][] = []
  for (const line of lines) {
    const [, name, value] = /^([A-Z]+) (.+)$/.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Error(`This is no instruction: ${line}`)
    if (name === 'FROM') stages.push([])
    stages.at(-1)?.push({ name, value })
  }
  return stages
}

const stages = parse(readFileSync(join(root, 'Dockerfile'), 'utf8'))
const image = stages.at(-1) ?? []
const all = (name: string, stage = image): string[] => stage.filter(instruction => instruction.name === name).map(({ value }) => value)
const environment = Object.fromEntries(all('ENV').flatMap(value => value.split(' ').map(pair => pair.split('=') as [string, string])))
const copied = all('COPY').filter(value => !value.startsWith('--from')).map(value => value.split(' ')[0] ?? '')
const command = (name: string): string[] => JSON.parse(all(name)[0]?.replace(/^.*?CMD /, '') ?? '[]') as string[]

await t.test('the image is small, without rights, and shows its health', async t => {
  for (const stage of stages) t.match(all('FROM', stage)[0], /^node:24-slim(?: AS \w+)?$/)
  t.match(stages.map(stage => all('RUN', stage).join('\n')).join('\n'), /npm ci --omit=dev/)
  t.notMatch(stages.flat().map(({ value }) => value).join('\n'), /token|password|npm install|--privileged|\bsudo\b/i)

  t.strictSame(all('USER'), ['node'])
  const after = image.slice(image.findIndex(({ name }) => name === 'USER')).map(({ name }) => name)
  t.notOk(after.includes('RUN') || after.includes('COPY'), 'nothing is made after rights were given up')
  t.ok(after.includes('CMD') && after.includes('HEALTHCHECK'))
  t.notOk(all('COPY').some(value => /--chown/.test(value)), 'the code belongs to root')
  t.strictSame(all('VOLUME'), [environment['TWOLANE_DATA']])
  t.match(all('RUN').join('\n'), `chown node:node ${environment['TWOLANE_DATA']}`)
  t.strictSame(all('EXPOSE'), [environment['TWOLANE_PORT']])
  t.equal(environment['TWOLANE_HOST'], '0.0.0.0')
  t.strictSame(command('CMD'), ['node', 'runtime/main.ts'])
})

await t.test('only what is needed goes in', async t => {
  t.strictSame(copied, ['package.json', 'runtime', 'plugins', 'schemas', 'pipelines', 'config'])
  const sources = stages.flatMap(stage => all('COPY', stage)).filter(value => !value.startsWith('--from')).flatMap(value => value.split(' ').slice(0, -1))
  for (const source of sources) t.ok(existsSync(join(root, source)), source)
  const rules = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n').filter(line => line !== '' && !line.startsWith('#'))
  t.equal(rules[0], '*')
  t.strictSame(rules.filter(rule => rule.startsWith('!')).map(rule => rule.slice(1)).sort(), [...new Set(sources)].sort())
})

await t.test('what runs needs no package that is for development', async t => {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, Record<string, string>>
  const available = new Set([...Object.keys(dependencies ?? {}), ...Object.keys(optionalDependencies ?? {}), ...builtinModules])
  for (const folder of ['runtime', 'plugins']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name)
      if (!entry.isFile() || !file.endsWith('.ts') || file.includes('/templates/')) continue
      const text = readFileSync(file, 'utf8')
      for (const [, type, specifier = ''] of text.matchAll(/^(?:import|export) (type )?.*?from '([^'.][^']*)'/gm)) {
        const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
        if (type === undefined && !specifier.startsWith('node:')) t.ok(available.has(name), `${file.slice(root.length + 1)}: ${specifier}`)
      }
    }
  }
})

await t.test('the files of the image run, and their health can be asked', async t => {
  const folder = t.testdir({})
  for (const name of copied) await cp(join(root, name), join(folder, name), { recursive: true, filter: file => !file.includes(join(root, 'pipelines') + '/') })
  await mkdir(join(folder, 'data'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const [, ...args] = command('CMD')
  const env = { PATH: process.env['PATH'], ...environment, TWOLANE_DATA: join(folder, 'data'), TWOLANE_PORT: '0', TWOLANE_CLICKHOUSE: 'http://127.0.0.1:9' }
  const run = (more: Record<string, string>) => {
    const child = spawn(process.execPath, args, { cwd: folder, env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] })
    t.teardown(() => { if (child.exitCode === null) child.kill('SIGKILL') })
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { printed += String(chunk) })
    return { child, output: () => printed, code: once(child, 'exit').then(([code]) => code as number) }
  }
  const open = run({})
  t.equal(await open.code, 1, 'it does not start without a token')
  t.match(open.output(), /Other machines can reach 0\.0\.0\.0.*TWOLANE_ADMIN_TOKEN/)

  const platform = run({ TWOLANE_ADMIN_TOKEN: 'a-token-for-tests-only', TWOLANE_HOST: '127.0.0.1' })
  const port = await eventually(`it starts: ${platform.output()}`, () => /running at http:\/\/127\.0\.0\.1:(\d+)/.exec(platform.output())?.[1])
  const health = async (TWOLANE_PORT: string): Promise<number | null> => {
    const [, ...args] = command('HEALTHCHECK')
    return (await once(spawn(process.execPath, args, { env: { PATH: process.env['PATH'], TWOLANE_PORT } }), 'exit'))[0] as number | null
  }
  t.equal(await health(port), 0)
  platform.child.kill('SIGTERM')
  t.equal(await platform.code, 0, 'docker stop drains')
  t.equal(await health(port), 1)

  const ill = createServer((_, response) => response.writeHead(500).end()).listen(0, '127.0.0.1')
  t.teardown(() => ill.close())
  await once(ill, 'listening')
  t.equal(await health(String((ill.address() as AddressInfo).port)), 1)
})

await t.test('every item of security.md is there, and every claim it names exists', async t => {
  const rows = [...readFileSync(join(root, 'test/security.md'), 'utf8').matchAll(/^\| (\d+) \| [^|]+ \| (.+) \|$/gm)].map(([, item, proof]) => [item, proof] as [string, string])
  t.strictSame(rows.map(([item]) => Number(item)), Array.from({ length: 46 }, (_, i) => i + 1))
  for (const [item, proof] of rows) {
    const claims = [...proof.matchAll(/`([\w/.-]+\.ts)` ▶ ([^;]+?)(?=[;.] |$)/g)]
    t.ok(claims.length > 0, `item ${item} names a claim`)
    for (const [, file, claim] of claims) if (!readFileSync(join(root, 'test', file as string), 'utf8').replaceAll("\\'", "'").includes(claim as string)) t.fail(`item ${item}: ${file} has no claim "${claim}"`)
  }
})

await t.test('item 45: every dependency is pinned by its hash, and runs a script only where package.json allows it', async t => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, { integrity?: string, hasInstallScript?: boolean, optional?: boolean, os?: readonly string[], cpu?: readonly string[], libc?: readonly string[] }> }
  const { allowScripts, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { allowScripts: Record<string, boolean>, dependencies: object }
  const entries = Object.entries(packages).filter(([path]) => path !== '')
  // npm notes no hash of an optional package that is for another kind of machine than the one that wrote the file.
  const isForOthers = ({ optional, os, cpu, libc }: (typeof packages)[string]): boolean => optional === true && !(os?.includes('linux') === true && cpu?.includes('x64') === true && libc?.includes('musl') !== true)
  t.strictSame(entries.filter(([, entry]) => !/^sha512-/.test(entry.integrity ?? '') && !isForOthers(entry)).map(([path]) => path), [])
  t.strictSame(entries.filter(([path, { hasInstallScript }]) => hasInstallScript === true && !(path.replace(/^.*node_modules\//, '') in allowScripts)).map(([path]) => path), [], 'each script was thought about')
  t.ok(Object.keys(dependencies).length <= 40)
})

await t.test('item 46: the package cannot be published by mistake', async t => {
  t.match(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')), { private: true })
})
