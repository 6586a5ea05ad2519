import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import t from 'tap'
import { startSimulator } from '../../../../plugins/inputs/interactive-brokers/simulator/simulator.ts'

// An independent client, unmodified: what it accepts was not decided by whoever wrote the simulator.
const python = await findPython()
const script = new URL('ibind_client.py', import.meta.url).pathname

await t.test('ibind, an independent client, works with the simulator as with the real gateway', {
  skip: python === undefined && 'ibind is not installed: python3 -m venv FOLDER && FOLDER/bin/pip install ibind==0.2.2, then set IBIND_PYTHON=FOLDER/bin/python'
}, async t => {
  // ibind has no request limit of its own, so the limit is that of OAuth; the time-to-live is short to see a renewal.
  const simulator = await startSimulator({ speed: 10, requestsPerSecond: 50, preflightMs: 200, smdTtlMs: 3000 })
  t.teardown(() => simulator.close())
  const child = spawn(python!, [script, simulator.url], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, IBIND_WS_TIMEOUT: '2', IBIND_WS_SUBSCRIPTION_TIMEOUT: '0.5', PYTHONDONTWRITEBYTECODE: '1' }
  })
  t.teardown(() => child.kill('SIGKILL'))
  let errors = ''
  child.stderr.on('data', chunk => { errors += String(chunk) })
  const ended = new Promise<number | null>(resolve => child.on('close', resolve))
  let claims = 0
  for await (const line of createInterface(child.stdout)) {
    if (!line.startsWith('{"claim"')) continue
    const { claim, ok, seen } = JSON.parse(line) as { claim: string, ok: boolean, seen: unknown }
    t.ok(ok, claim, { seen })
    claims++
  }
  t.equal(await ended, 0, `the script ended well\n${errors}`)
  t.ok(claims >= 30, `all claims were checked: ${claims}`)
})

/** IBIND_PYTHON, else python3; undefined when it cannot import ibind. */
async function findPython (): Promise<string | undefined> {
  const candidate = process.env['IBIND_PYTHON'] ?? 'python3'
  try {
    await promisify(execFile)(candidate, ['-c', 'import ibind'])
    return candidate
  } catch {
    return undefined // no such interpreter, or no ibind in it: the test says how to get it
  }
}
