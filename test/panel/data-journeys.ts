// Datasets, and questions about them, in a real Chromium: found, understood, asked, taken along.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { eventually } from '../waiting.ts'
import { adminToken, settled, visit } from './stage.ts'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import type { Stage } from './stage.ts'

const day = (i: number): string => new Date(Date.UTC(2024, 0, 2 + i)).toISOString()
export const dataFiles = {
  'schemas/daily.yaml': `description: Daily bars of a test
owner: quants
key: [symbol]
event_time: at
fields:
  symbol: { type: string, required: true, description: The instrument }
  at: { type: timestamp(ms), required: true, description: When the day begins }
  open: { type: float64, unit: USD, description: First price }
  high: { type: float64, unit: USD }
  low: { type: float64, unit: USD }
  close: { type: float64, unit: USD, description: Last price }
`,
  'pipelines/daily.yaml': 'description: Daily bars, loaded by a job\nschedule: manual\ninput: { file: inbox/*.ndjson }\ntopic: daily\ntransforms: [{ mapping: daily }]\noutputs: [{ warehouse: {} }]\n',
  'inbox/daily.ndjson': ['AAPL', 'MSFT'].flatMap(symbol => Array.from({ length: 8 }, (_, i) => JSON.stringify({ symbol, at: day(i), open: 100 + i, high: 103 + i, low: 99 + i, close: 101 + i }))).join('\n')
}
export const dataPlaces = [
  '#/data', ...['overview', 'fields', 'sample', 'chart', 'quality', 'lineage', 'access', 'api', 'changes'].map(tab => `#/data/ticks?tab=${tab}`), '#/data/daily',
  '#/explore?dataset=daily&run=1&where=%5B%22close%22%2C%22%3E%22%2C102%5D', '#/explore?dataset=daily&kind=bars&every=1d&symbols=AAPL&run=1', '#/explore?dataset=ticks&kind=join&right=daily&last=1h',
  '#/explore?tab=sql', '#/explore?tab=saved', '#/explore?tab=exports'
]

export async function ask (t: Test, stage: Stage): Promise<void> {
  const started = await stage.platform.api<{ id: string }>('POST', '/v1/jobs/daily/runs')
  const ended = await eventually('the daily bars', async () => {
    const { body } = await stage.platform.api<{ state: string, error: string }>('GET', `/v1/jobs/daily/runs/${started.body.id}`)
    return ['queued', 'running'].includes(body.state) ? undefined : body
  })
  t.equal(ended.state, 'succeeded', ended.error)

  await t.test('a dataset that only a job loads is found by a word of its fields, explained and drawn', async t => {
    const { page, context, complaints } = await stage.open({ token: adminToken })
    await visit(page, stage, '#/data')
    await page.getByRole('link', { name: 'ticks', exact: true }).waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('quants close')
    await page.getByRole('link', { name: 'ticks', exact: true }).waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'daily', exact: true }).click()
    await page.getByText('All rows are loaded into the warehouse directly').waitFor()
    t.match(await page.locator('.facts').innerText(), /Rows\s*16/)
    await visit(page, stage, '#/data/daily?tab=chart&start=2024-01-01&end=2024-02-01')
    await page.locator('.chart canvas').first().waitFor()
    t.match(await page.locator('.chart').innerText(), /8 bars from 2024-01-02 00:00 to 2024-01-09 00:00 UTC, from 100 to 108/)
    await visit(page, stage, '#/data/daily?tab=fields')
    t.match(await page.getByRole('row', { name: /^close/ }).innerText(), /USD/)
    await visit(page, stage, '#/data/daily?tab=lineage')
    await page.locator('.lineage').getByRole('link', { name: 'daily' }).waitFor()
    await context.close()
    t.same(complaints, [])
  })

  await t.test('a question is built by clicks and keys, priced before it runs, and shared by its address', async t => {
    const { page, context } = await stage.open({ token: adminToken })
    await visit(page, stage, '#/explore?dataset=daily')
    await page.getByRole('combobox', { name: 'Symbols' }).pressSequentially('aap')
    await page.getByRole('option', { name: 'AAPL' }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Take AAPL away' }).waitFor()
    await page.getByRole('button', { name: 'Condition', exact: true }).click()
    await page.getByLabel('Field of condition 1').selectOption('close')
    await page.getByLabel('Operator of condition 1').selectOption('>=')
    await page.getByLabel('Value of condition 1').fill('106')
    await page.getByText(/Reads at most \d+ rows .* All from the warehouse/).waitFor()
    await page.keyboard.press('Control+Enter')
    await page.getByText('3 rows').waitFor()
    t.match(await page.evaluate('location.hash'), /symbols=AAPL.*where=.*run=1/)
    const shared = await context.newPage()
    await shared.goto(page.url())
    await shared.getByText('3 rows').waitFor()
    t.same(await columnOf(shared, 'close'), ['106', '107', '108'])
    t.equal(await shared.getByLabel('Value of condition 1').inputValue(), '106', 'the form says what was asked')
    await shared.getByLabel('Value of condition 1').fill('not a number')
    await shared.getByText('The question was changed since').waitFor()
    await shared.getByText(/close.*number/i).first().waitFor()
    await context.close()
  })

  await t.test('bars and joins need no SQL', async t => {
    const { page, context } = await stage.open({ token: adminToken })
    await visit(page, stage, '#/explore?dataset=daily&kind=bars&symbols=AAPL')
    t.ok(await page.getByRole('button', { name: 'Run' }).isDisabled(), 'the length of a bar is missing')
    await page.getByLabel('A bar is').fill('4d')
    await page.getByRole('button', { name: 'Run' }).click()
    await page.locator('.chart canvas').first().waitFor()
    await page.getByRole('group', { name: 'How it is shown' }).getByRole('button', { name: 'Table' }).click()
    t.ok((await columnOf(page, 'count')).length >= 2)
    await page.getByLabel('What of it').selectOption('join')
    await page.getByLabel('Join with').selectOption('ticks')
    await page.getByRole('button', { name: 'Run' }).click()
    await page.getByText('8 rows').waitFor()
    await context.close()
  })

  await takeAlong(t, stage)
  await sql(t, stage)
}

async function takeAlong (t: Test, stage: Stage): Promise<void> {
  await t.test('an answer is taken along as a file, as code that runs, as an endpoint and as an export', async t => {
    const { page, context } = await stage.open({ token: adminToken, acceptDownloads: true, permissions: ['clipboard-read', 'clipboard-write'] })
    await visit(page, stage, '#/explore?dataset=daily&symbols=MSFT&fields=at,close')
    await page.getByRole('button', { name: 'Download' }).click()
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'CSV' }).click()])
    t.equal(file.suggestedFilename(), 'daily.csv')
    t.equal((await readFile(await file.path(), 'utf8')).trim().split('\n').length, 9)

    const code = await copied(page, 'JavaScript')
    t.notMatch(code, adminToken, 'no snippet holds a token')
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', `${code}\nconsole.log(rows.length, rows.at(-1).close)`], { env: { ...process.env, TWOLANE_TOKEN: adminToken } })
    t.equal(stdout.trim(), '8 108')

    await page.getByRole('button', { name: 'Copy as' }).click()
    await page.getByRole('menuitem', { name: 'Saved endpoint…' }).click()
    await page.getByLabel('Title').fill('Closes of Microsoft')
    t.equal(await page.getByLabel('Name in its address').inputValue(), 'closes-of-microsoft')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByText('Saved: /v1/q/closes-of-microsoft.csv').waitFor()
    t.equal(String((await stage.platform.api<string>('GET', '/v1/q/closes-of-microsoft.csv')).body).trim().split('\n').length, 9)
    await visit(page, stage, '#/explore?tab=saved')
    await page.getByRole('link', { name: 'closes-of-microsoft' }).click()
    await page.getByText('8 rows').waitFor()
    await visit(page, stage, '#/data/daily?tab=lineage')
    await page.getByRole('link', { name: 'closes-of-microsoft' }).waitFor()

    await visit(page, stage, '#/explore?dataset=daily')
    await page.getByRole('button', { name: 'Download' }).click()
    await page.getByRole('menuitem', { name: /^Export/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Export', exact: true }).click()
    await page.getByText('done').waitFor()
    await page.getByRole('button', { name: 'Show more' }).click()
    const [made] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'daily-all.parquet', exact: true }).click()])
    t.equal((await readFile(await made.path())).subarray(0, 4).toString(), 'PAR1')
    await context.close()
  })
}

async function sql (t: Test, stage: Stage): Promise<void> {
  await t.test('SQL is for those who may, and says where it is wrong', async t => {
    const { page, context } = await stage.open({ token: adminToken })
    await visit(page, stage, '#/explore?tab=sql')
    await stage.platform.api('POST', '/v1/users', { type: 'application/json', text: JSON.stringify({ user: 'rita', password: 'a sentence that nobody guesses 7', roles: ['analyst'] }) })
    const area = page.getByLabel('SELECT, DESCRIBE, SHOW TABLES')
    await area.fill('SELECT symbol, max(close) AS top\nFROM daily GROUPP BY symbol')
    await page.keyboard.press('Control+Enter')
    await page.getByText(/^Line 2, column \d+/).waitFor()
    await page.waitForFunction('document.activeElement.selectionEnd > document.activeElement.selectionStart')
    t.match(await page.evaluate<string>('(e => e.value.slice(e.selectionStart, e.selectionEnd))(document.activeElement)'), /^(?:GROUPP|BY)$/)
    await area.fill('SELECT symbol, max(close) AS top FROM daily GROUP BY symbol ORDER BY symbol')
    await page.keyboard.press('Control+Enter')
    await page.getByText('2 rows').waitFor()
    t.same(await columnOf(page, 'top'), ['108', '108'])
    await context.close()
    const made = await stage.platform.api<{ secret: string }>('POST', '/v1/tokens', { type: 'application/json', text: JSON.stringify({ user: 'rita', title: 'reads', scopes: ['data:read'] }) })
    t.equal(made.status, 201, JSON.stringify(made.body))
    const other = await stage.open({ token: made.body.secret })
    await visit(other.page, stage, '#/explore?tab=sql')
    await other.page.getByText('sql:read').waitFor()
    await other.context.close()
  })
}

/** What `Copy as` puts into the clipboard. */
async function copied (page: Page, what: string): Promise<string> {
  await page.getByRole('button', { name: 'Copy as' }).click()
  await page.getByRole('menuitem', { name: what }).click()
  await page.getByText(`${what} is in the clipboard.`).waitFor()
  return page.evaluate<string>('navigator.clipboard.readText()')
}

/** Texts of a column of the answer. */
async function columnOf (page: Page, name: string): Promise<string[]> {
  await settled(page)
  const table = page.getByRole('region', { name: /^Rows of/ })
  const names = await table.getByRole('columnheader').allInnerTexts()
  return table.locator(`[data-row] td:nth-child(${names.indexOf(name) + 1})`).allInnerTexts()
}
