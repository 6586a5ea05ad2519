// Setup, access, quality and costs in a real Chromium, on a real platform: what a maintainer, an admin and an analyst do there.

import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../waiting.ts'
import { adminToken, visit } from './stage.ts'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import type { Stage } from './stage.ts'

const password = 'a sentence that nobody guesses 7'
export const setupPlaces = [
  '#/setup', '#/setup/sources', '#/setup/sources/new', '#/setup/destinations', '#/setup/destinations/new', '#/setup/sources/ticks/input.generate', '#/setup/files?file=pipelines/ticks.yaml', '#/setup/tests', '#/setup/backup', '#/setup/alerts', '#/setup/revisions', '#/setup/teardown/pipeline/desk',
  '#/access/me', '#/access/users', '#/access/users/nora', '#/access/teams', '#/access/roles', '#/access/roles/admin', '#/access/tokens', '#/access/why?user=nora&dataset=ticks', '#/access/audit', '#/access/review',
  '#/quality', '#/quality?tab=rules', '#/quality?tab=results', '#/quality?tab=rejected', '#/costs', '#/costs?tab=datasets', '#/costs?tab=what-if'
]
export const setupFiles = {
  'schemas/measured.yaml': `description: Values that have a rule
key: [symbol]
fields:
  symbol: { type: string, required: true, description: Instrument }
  value: { type: float64, description: Value }
quality:
  - { name: value_is_positive, metric: invalidValues, field: value, arguments: { minimum: 0 }, warn: { mustBe: 0 }, description: A value is above zero }
`,
  'pipelines/measured.yaml': `description: Values that have a rule
schedule: manual
input: { file: measured/*.csv }
topic: measured
transforms: [{ mapping: measured }]
outputs: [{ streaming-database: {} }]
`,
  'measured/one.csv': 'symbol,value\nAAPL,1\n'
}

export async function setUp (t: Test, stage: Stage): Promise<void> {
  await maintain(t, stage)
  await administer(t, stage)
  await analyse(t, stage)
  await walkDays(t, stage)
}

async function maintain (t: Test, stage: Stage): Promise<void> {
  const { page, context, complaints } = await stage.open({ token: adminToken })

  await t.test('a maintainer adds a source by clicks, and sees its rows arrive', async t => {
    await visit(page, stage, '#/setup/sources/new')
    await page.getByRole('button', { name: /^Generate/ }).click()
    await page.getByLabel('Fields').fill('{ "symbol": { "choice": ["AAPL"] }, "price": { "walk": 100, "step": 0.01 } }')
    await page.getByLabel('Rate').fill('20')
    await page.getByRole('button', { name: 'Test the connection' }).first().click()
    await page.getByRole('region', { name: 'Sample rows' }).getByText('AAPL').first().waitFor()
    await page.getByLabel('Name of the topic').fill('made')
    await page.getByRole('button', { name: 'Propose a schema' }).click()
    t.match(await page.getByLabel('The schema schemas/made.yaml').inputValue(), /symbol:\n +type: string/)
    await page.getByRole('button', { name: 'Review the change' }).click()
    const diff = page.getByRole('region', { name: 'The change of pipelines/made.yaml' })
    await diff.waitFor()
    t.match(await diff.innerText(), /\+topic: made/)
    await page.getByRole('button', { name: 'Add the source' }).click()
    await page.getByText(/Revision \d+/).waitFor()
    await page.getByRole('region', { name: 'Rows of made' }).locator('tbody tr').first().waitFor()
    await eventually('rows in the streaming database', async () => (await stage.platform.query<{ n: string }>('SELECT count() AS n FROM streaming.made'))[0]?.n !== '0' ? true : undefined)
  })

  await t.test('and a destination, which is taken out again', async t => {
    await visit(page, stage, '#/setup/destinations/new?pipeline=made')
    await page.getByRole('button', { name: /^File/ }).click()
    await page.getByLabel(/^Path/).fill('out/made.ndjson')
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'Add the destination' }).click()
    await page.getByText('outputs.file').first().waitFor()
    const { body } = await stage.platform.api<{ text: string }>('GET', '/v1/files/pipelines/made.yaml')
    t.match(body.text, /- file:\n +path: out\/made.ndjson/)
    await visit(page, stage, '#/setup/destinations/made/outputs.file')
    await page.getByRole('button', { name: 'Take it out of the pipeline' }).click()
    await page.getByRole('button', { name: 'Apply' }).click()
    await page.getByText(/Revision \d+/).waitFor()
    t.notMatch((await stage.platform.api<{ text: string }>('GET', '/v1/files/pipelines/made.yaml')).body.text, /out\/made/)
  })

  await t.test('a file with a mistake is told where it is wrong, and nothing is written', async t => {
    await visit(page, stage, '#/setup/files?file=pipelines/made.yaml')
    const editor = page.getByRole('textbox', { name: 'pipelines/made.yaml' })
    const text = await editor.inputValue()
    await editor.fill(text.replace('topic: made', 'topc: made'))
    await page.getByRole('button', { name: 'Plan the change' }).click()
    await page.locator('.editor-problems').getByText(/topc/).first().waitFor()
    t.ok(await page.getByRole('button', { name: 'Apply' }).isDisabled())
    t.equal((await stage.platform.api<{ text: string }>('GET', '/v1/files/pipelines/made.yaml')).body.text, text)
  })

  await t.test('what somebody else has written meanwhile is not overwritten, and what was typed is kept', async t => {
    await visit(page, stage, '#/home')
    const read = page.waitForResponse(/files\/pipelines\/made\.yaml/)
    await visit(page, stage, '#/setup/files?file=pipelines/made.yaml')
    await read
    const editor = page.getByRole('textbox', { name: 'pipelines/made.yaml' })
    t.match(await editor.inputValue(), /topc: made/, 'the mistake is still there to be corrected')
    await editor.fill((await editor.inputValue()).replace('topc: made', 'topic: made\ndescription: Mine'))
    appendFileSync(join(stage.folder, 'pipelines/made.yaml'), '# theirs\n')
    await page.getByRole('button', { name: 'Plan the change' }).click()
    await page.getByText('Somebody else has changed this file').waitFor()
    await page.getByRole('button', { name: 'Compare mine with theirs' }).click()
    await page.getByRole('region', { name: 'The change of pipelines/made.yaml' }).getByText('-# theirs').waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    t.match(await editor.inputValue(), /# theirs/)
  })

  await t.test('a login that ends takes nothing of what was typed', async t => {
    const password = 'a sentence that nobody guesses 8'
    await stage.platform.api('POST', '/v1/users', { type: 'application/json', text: JSON.stringify({ user: 'mia', password, roles: ['maintainer'] }) })
    const { page, context } = await stage.open()
    const signIn = async (): Promise<void> => {
      await page.getByLabel('Password', { exact: true }).fill(password)
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    }
    await page.goto(`${stage.url}/#/setup/sources/new`)
    await page.getByLabel('User').fill('mia')
    await signIn()
    await page.getByRole('button', { name: /^Generate/ }).click()
    await page.getByLabel('Fields').fill('{ symbol: 1 }')
    await page.getByText('This is no JSON object').waitFor()
    await page.getByLabel('Fields').fill('{ "symbol": "AAPL" }')
    await context.clearCookies()
    // The page may have noticed by itself already, and then nothing below the login can be clicked.
    await page.getByRole('button', { name: 'Test the connection' }).first().dispatchEvent('click')
    await page.getByText('Your login has ended').waitFor()
    t.equal(await page.getByLabel('User').inputValue(), 'mia')
    t.equal(await page.evaluate('document.querySelector(":modal").getBoundingClientRect().width === innerWidth'), true, 'nobody reads on below the login')
    await signIn()
    await page.locator('dialog').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Test the connection' }).first().click()
    await page.getByRole('region', { name: 'Sample rows' }).getByText('AAPL').first().waitFor()
    await page.goto(`${stage.url}/#/home`)
    await page.goBack()
    await eventually('nor does Back', async () => /"symbol": "AAPL"/.test(await page.getByLabel('Fields').inputValue()) || undefined)
    await context.close()
  })

  await t.test('a pipeline is torn down by typing its name', async () => {
    await visit(page, stage, '#/setup/teardown/pipeline/made')
    await page.getByText('pipelines/made.yaml').first().waitFor()
    await page.getByRole('button', { name: 'Tear down made' }).click()
    await page.getByLabel('Type made to confirm').fill('made')
    await page.getByRole('dialog').getByRole('button', { name: 'Tear down', exact: true }).click()
    await page.getByText('The pipeline made is gone.').waitFor()
    await eventually('the pipeline is gone', async () => (await stage.platform.api('GET', '/v1/pipelines/made')).status === 404 ? true : undefined)
  })

  // What is gone is asked for once more by the page that shows it, and a change that was refused is an answer, too.
  t.same(complaints.filter(text => !/404 .*\/made$|409 .*\/v1\/changes$/.test(text)), [])
  await context.close()
}

async function administer (t: Test, stage: Stage): Promise<void> {
  await t.test('an admin adds a user with a grant, makes a token, and reads it all in the audit log', async t => {
    const { page, context, complaints } = await stage.open({ token: adminToken })
    await visit(page, stage, '#/access/users')
    await page.getByRole('button', { name: 'Add a user' }).click()
    await page.getByRole('dialog').getByLabel('User').fill('nora')
    await page.getByRole('dialog').getByLabel('Password').fill(password)
    await page.getByRole('checkbox', { name: /^analyst/ }).check()
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.getByRole('heading', { name: 'nora' }).waitFor()

    await page.getByRole('button', { name: 'Add a grant' }).click()
    await page.getByRole('combobox', { name: /^Dataset/ }).fill('ticks')
    await page.getByRole('checkbox', { name: /^All columns/ }).uncheck()
    await page.getByRole('checkbox', { name: 'price', exact: true }).uncheck()
    await page.getByRole('button', { name: 'Add a condition on rows' }).click()
    await page.getByLabel('Value', { exact: true }).fill('AAPL')
    await page.getByLabel('Value', { exact: true }).press('Tab')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('nora was changed.').waitFor()
    const { body } = await stage.platform.api<{ grants: Array<{ columns: string[] }> }>('GET', '/v1/users/nora')
    t.match(body.grants, [{ dataset: 'ticks', where: ['symbol', '=', 'AAPL'] }])
    t.ok(body.grants[0]?.columns.includes('symbol') === true && !body.grants[0].columns.includes('price'), 'columns are those that are ticked')

    await page.getByRole('button', { name: 'Make a token' }).click()
    await page.getByLabel('What it is for').fill('notebook')
    await page.getByRole('button', { name: 'Make the token' }).click()
    const secret = await page.getByRole('region', { name: 'the token' }).innerText()
    t.match(secret, /^tl_/)
    await page.getByRole('button', { name: 'I have kept it' }).click()
    await page.getByText('notebook').first().waitFor()
    t.notMatch(await page.content(), secret, 'it is shown once')
    const answer = await fetch(`${stage.url}/v1/datasets`, { headers: { authorization: `Bearer ${secret}` } })
    t.same((await answer.json() as { datasets: Array<{ dataset: string }> }).datasets.map(({ dataset }) => dataset), ['ticks'])

    await visit(page, stage, '#/access/why?user=nora&dataset=trades')
    await page.getByText('No, nora may not').waitFor()
    await page.getByLabel('With the dataset').fill('ticks')
    await page.getByLabel('With the dataset').press('Tab')
    await page.getByText('Yes, nora may').waitFor()

    await visit(page, stage, '#/access/audit?action=user')
    await page.getByText('user.change').first().waitFor()
    await page.getByRole('button', { name: 'Verify the chain' }).click()
    await page.getByText(/entries is whole/).waitFor()
    t.same(complaints, [])
    await context.close()
  })
}

async function analyse (t: Test, stage: Stage): Promise<void> {
  await t.test('an analyst gets no page that is not theirs, is told why, and changes their password', async t => {
    const { page, context } = await stage.open()
    await page.goto(`${stage.url}/#/access`)
    await page.getByLabel('User').fill('nora')
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('heading', { name: 'Your tokens' }).waitFor()
    for (const [place, scope] of [['#/access/users', 'access:read'], ['#/access/audit', 'audit:read'], ['#/setup/sources/new', 'pipelines:write']] as const) {
      await visit(page, stage, place)
      await page.locator('main').getByText(scope).first().waitFor()
      t.equal(await page.locator('main').locator('input, textarea').count(), 0, place)
    }
    await visit(page, stage, '#/setup/backup')
    t.equal(await page.getByRole('button', { name: 'Make a backup' }).count(), 0)
    await visit(page, stage, '#/access/why?scope=pipelines:write')
    await page.getByText('No, you may not').waitFor()
    await visit(page, stage, '#/access/me')
    await page.getByLabel('Current password').fill(password)
    await page.getByLabel('New password').fill(`${password}, and more`)
    await page.getByRole('button', { name: 'Change the password' }).click()
    await page.getByText('Your password is changed').waitFor()
    await context.close()
  })
}

async function walkDays (t: Test, stage: Stage): Promise<void> {
  await t.test('the grid of days is walked with arrow keys, and says in words what a cell is', async t => {
    const { page, context } = await stage.open({ token: adminToken })
    await visit(page, stage, '#/quality')
    const cells = page.locator('.heat a.cell')
    await cells.last().focus()
    await page.keyboard.press('ArrowLeft')
    t.match(await focused(page), /^measured, \d{4}-\d{2}-\d{2}: not checked$/)
    t.equal(await page.locator('.heat a.cell[tabindex="0"]').count(), 1, 'it is one stop of the keyboard')
    await context.close()
  })
}

function focused (page: Page): Promise<string> {
  return page.evaluate<string>('document.activeElement.getAttribute("aria-label") ?? ""')
}
