import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { readCalendar } from '../../../runtime/calendar/calendar.ts'

// Whoever wrote the files of config/calendars did not write this library.
const python = await findPython()
const root = join(import.meta.dirname, '../../..')
const [first, last] = ['2015-01-01', '2030-12-31']
const markets = { XNYS: 'XNYS', XNAS: 'XNAS', XLON: 'XLON', XETR: 'XETR', '24x7': '24/7' }

await t.test('every session from 2015 to 2030 opens and closes when exchange_calendars says', {
  skip: python === undefined && 'exchange_calendars is not installed: python3 -m venv FOLDER && FOLDER/bin/pip install -r .ci/requirements.txt, then set CALENDARS_PYTHON=FOLDER/bin/python'
}, async t => {
  const { stdout } = await promisify(execFile)(python!, [join(import.meta.dirname, 'sessions.py'), first, last, ...Object.values(markets)], { maxBuffer: 2 ** 26 })
  const theirs = Map.groupBy(stdout.trim().split('\n'), line => line.split(' ', 1)[0])
  for (const [name, theirName] of Object.entries(markets)) {
    const calendar = await readCalendar(root, name)
    const own = calendar.sessions(first, last).map(({ day, openMs, closeMs }) => `${theirName} ${day} ${openMs} ${closeMs}`)
    const judged = theirs.get(theirName) ?? []
    t.ok(judged.length > 4000, `${name}: ${judged.length} sessions`)
    const [known, held] = [new Set(judged), new Set(own)]
    t.strictSame(own.filter(line => !known.has(line)), [], `${name}: no session that is none`)
    t.strictSame(judged.filter(line => !held.has(line)), [], `${name}: no session is missing`)
  }
})

/** CALENDARS_PYTHON, else python3; undefined when it lacks the library. */
async function findPython (): Promise<string | undefined> {
  const candidate = process.env['CALENDARS_PYTHON'] ?? 'python3'
  try {
    await promisify(execFile)(candidate, ['-c', 'import importlib.util, sys; sys.exit(importlib.util.find_spec("exchange_calendars") is None)'])
    return candidate
  } catch {
    return undefined // No such interpreter, or the library is missing: the test says how to get it.
  }
}
