// The web page in a real Chromium, on a real platform: the main journeys, and what every page owes to everybody. All of it
// on one platform, since to start one takes longer than most journeys.

import t from 'tap'
import { eventually } from '../waiting.ts'
import { ask, dataFiles, dataPlaces } from './data-journeys.ts'
import { setUp, setupFiles, setupPlaces } from './setup-journeys.ts'
import { adminToken, noChromium, openStage, overflow, phone, violations, visit } from './stage.ts'
import type { Test } from 'tap'
import type { Stage } from './stage.ts'

const password = 'a sentence that nobody guesses 7'
const places = [
  '#/home', '#/pipelines', '#/pipelines/ticks', '#/pipelines/ticks?tab=charts', '#/pipelines/ticks?tab=rows', '#/pipelines/ticks?tab=file', '#/pipelines/desk?tab=rejected',
  '#/jobs', '#/jobs/desk', '#/jobs/desk?tab=days', '#/logs', '#/docs?q=runs', '#/docs?tab=errors'
]

await t.test('the web page', { skip: noChromium }, async t => {
  const stage = await openStage(t, { ...dataFiles, ...setupFiles })

  await t.test('the first user is made with the code that the platform printed, and is led through the first steps', async t => {
    const { page, context, complaints } = await stage.open()
    const [, hash = ''] = /(#\/setup\/\S+)/.exec(stage.platform.output()) ?? []
    await page.goto(`${stage.url}/${hash}`)
    await page.getByLabel('User').fill('ada')
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByLabel('The password again').fill(password)
    await page.getByRole('button', { name: 'Make the user and sign in' }).click()
    await page.getByText(/of 6 first steps are done/).waitFor()
    await visit(page, stage, '#/home')
    await page.locator('.verdict-sentence').waitFor()
    const cookies = await context.cookies()
    t.ok(cookies.every(({ httpOnly, sameSite }) => httpOnly && sameSite !== 'None'), 'no script can read the session')
    await context.close()
    // Nobody was logged in when the page asked who is: that is no fault.
    t.same(complaints.filter(text => !/401/.test(text)), [])
  })

  await t.test('somebody logs in, runs a job, reads its log, and sees the row that it refused', async t => {
    const { page, context } = await stage.open()
    await page.goto(`${stage.url}/#/jobs/desk`)
    await page.getByLabel('User').fill('ada')
    await page.getByLabel('Password', { exact: true }).fill('not the password')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('alert').waitFor()
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('heading', { name: 'desk' }).waitFor()
    await page.getByRole('button', { name: 'Run now' }).click()
    await page.getByRole('link', { name: 'succeeded' }).first().click()
    await page.getByText('complete').waitFor()
    t.match(await page.locator('.facts').innerText(), /Rows\s*3/)
    await visit(page, stage, '#/pipelines/desk?tab=rejected')
    await page.getByText('1 row waits').waitFor()
    await page.getByRole('button', { name: 'Deliver again' }).click()
    await page.getByRole('button', { name: 'What would pass?' }).click()
    await page.getByText('Refused again').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await context.close()
  })

  await t.test('a pipeline is paused and resumed', async t => {
    const { page, context } = await stage.open({ token: adminToken })
    await visit(page, stage, '#/pipelines/ticks')
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Pause', exact: true }).click()
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    const state = async (): Promise<string> => (await stage.platform.api<{ state: string }>('GET', '/v1/pipelines/ticks')).body.state
    t.equal(await state(), 'paused')
    await page.getByRole('button', { name: 'Resume' }).click()
    await eventually('the pipeline runs', async () => await state() === 'running' ? true : undefined)
    await context.close()
  })

  await t.test('whoever may only look is told the scope that a change needs', async t => {
    const made = await stage.platform.api('POST', '/v1/users', { type: 'application/json', text: JSON.stringify({ user: 'vera', password, roles: ['viewer'] }) })
    t.ok(made.status < 300, JSON.stringify(made.body))
    const { page, context } = await stage.open()
    await page.goto(`${stage.url}/#/pipelines/ticks`)
    await page.getByLabel('User').fill('vera')
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('pipelines:write').waitFor()
    t.equal(await page.getByRole('button', { name: 'Pause', exact: true }).count(), 0)
    await page.getByRole('button', { name: 'vera' }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await context.close()
  })

  await walk(t, stage)
  await ask(t, stage)
  await setUp(t, stage)
  await looks(t, stage)
})

async function walk (t: Test, stage: Stage): Promise<void> {
  await t.test('everything is reached by the keyboard', async t => {
    const { page, context } = await stage.open({ token: adminToken })
    await visit(page, stage, '#/home')
    await page.keyboard.press('Tab')
    t.equal(await page.evaluate('document.activeElement.className'), 'skip', 'the first stop leads past the navigation')
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox').fill('p:tic')
    await page.getByRole('option', { name: 'ticks' }).first().waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'ticks' }).waitFor()
    t.equal(await page.evaluate('document.activeElement.id'), 'main', 'reading goes on at the new page')
    await page.keyboard.press('g')
    await page.keyboard.press('j')
    await page.getByRole('heading', { name: 'Jobs', exact: true }).waitFor()
    await page.getByRole('link', { name: 'desk', exact: true }).waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    t.equal(await page.evaluate('[...document.querySelectorAll("[data-row]")].findIndex(row => row.contains(document.activeElement))'), 1, 'j moves down the rows')
    await page.keyboard.press('k')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await visit(page, stage, '#/logs')
    await page.keyboard.press('/')
    await page.keyboard.type('gj?')
    t.equal(await page.getByLabel('Words').inputValue(), 'gj?', 'what is typed is no command')
    await context.close()
  })
}

async function looks (t: Test, stage: Stage): Promise<void> {
  await t.test('each page is accessible, can be read in the dark, fits a phone, and says nothing on the console', async t => {
    const { page, context, complaints } = await stage.open({ token: adminToken })
    const wide = page.viewportSize() ?? phone
    // What is around each page is looked at once.
    let around: readonly string[] = []
    for (const place of [...places, ...dataPlaces, ...setupPlaces, 'status']) {
      await visit(page, stage, place)
      if (place.includes('run=1')) await page.locator('.answer-foot').waitFor()
      t.same(await violations(page), [], place)
      t.equal(await page.evaluate('[...document.querySelectorAll(".tabs")].filter(one => one.scrollHeight > one.clientHeight).length'), 0, `no tabs of ${place} scroll up and down`)
      await page.emulateMedia({ colorScheme: 'dark' })
      t.same(await violations(page, { rules: ['color-contrast'], without: around }), [], `${place} in the dark`)
      await page.emulateMedia({ colorScheme: 'light' })
      await page.setViewportSize(phone)
      t.ok(await overflow(page) <= 0, `${place} is not wider than a phone`)
      t.same(await violations(page, { rules: ['target-size', 'scrollable-region-focusable'], without: around }), [], `${place} on a phone`)
      await page.setViewportSize(wide)
      around = ['.side', '.top-bar']
    }
    t.same(complaints, [])
    await context.close()
  })

  await t.test('a phone has the navigation in a drawer', async t => {
    const { page, context } = await stage.open({ token: adminToken, viewport: phone, hasTouch: true })
    await visit(page, stage, '#/docs?tab=errors')
    await page.getByRole('button', { name: 'Navigation' }).click()
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Jobs' }).click()
    await page.getByRole('heading', { name: 'Jobs', exact: true }).waitFor()
    t.equal(await page.getByRole('navigation', { name: 'Pages' }).count(), 0, 'it is closed again')
    await context.close()
  })
}
