import { execFile, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { root } from '../system/project.ts'
import { compose, filledIn, manifest, manifests } from './files.ts'

interface Problem { readonly what: string, readonly message: string }

const packages = 'kubernetes_validate, compose_spec, compose_lint'
const python = await findPython()
const skip = python === undefined && 'its packages are not installed: python3 -m venv FOLDER && FOLDER/bin/pip install -r .ci/requirements.txt, then set SCHEMAS_PYTHON=FOLDER/bin/python'
const versions = ['1.31', '1.35']

await t.test('the schemas of Kubernetes and the compose specification take every file, and a security linter finds no more than is known', { skip }, async t => {
  // Images are named by version: their digests are the user's to choose. Kafka runs what it unpacks to /tmp.
  const known = [/^CL-0019 /, /^CL-0022 kafka$/]
  const problems = await check({ compose, manifests })
  t.strictSame(problems.filter(({ what }) => !known.some(pattern => pattern.test(what))), [])
})

await t.test('mistakes are found', { skip }, async t => {
  const problems = await check({
    compose: { ...compose, services: { ...compose.services, other: { image: 'x:1.0', restrat: 'always' } } },
    manifests: [...manifests, { ...manifest('Namespace', 'twolane'), metadata: { name: 'x', label: {} } }]
  })
  const found = problems.map(({ what, message }) => `${what}: ${message}`).join('\n')
  t.match(found, /^compose: .*restrat/m)
  for (const version of versions) t.match(found, new RegExp(`^Namespace x, Kubernetes ${version}: .*label`, 'm'))
})

async function check (files: { readonly compose: object, readonly manifests: readonly object[] }): Promise<Problem[]> {
  const child = spawn(python!, [join(import.meta.dirname, 'schemas.py')], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } })
  child.stdin.end(JSON.stringify({ ...files, compose: JSON.parse(filledIn(JSON.stringify(files.compose))) as object, compose_file: join(root, 'compose.yaml'), versions }))
  const [printed, code] = await Promise.all([text(child.stdout), new Promise(resolve => child.on('close', resolve))])
  if (code !== 0) throw new Error(`The checks ended with code ${String(code)}`)
  return printed.trim().split('\n').filter(line => line !== '').map(line => JSON.parse(line) as Problem)
}

/** SCHEMAS_PYTHON, else python3; undefined when it lacks a package. */
async function findPython (): Promise<string | undefined> {
  const candidate = process.env['SCHEMAS_PYTHON'] ?? 'python3'
  try {
    await promisify(execFile)(candidate, ['-c', `import ${packages}`])
    return candidate
  } catch {
    return undefined // No such interpreter, or a package is missing: the test says how to get them.
  }
}
