// A platform with a stream, a job and a rejected row, and a Chromium that looks at its page.

import axe from 'axe-core'
import { join } from 'node:path'
import { existsSync, readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { makeProject, root, startPlatform } from '../system/project.ts'
import { eventually, WAIT_MS_MAX } from '../waiting.ts'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import type { Test } from 'tap'
import type { RunningPlatform } from '../system/project.ts'

const places = [process.env['TWOLANE_CHROMIUM'] ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = places.find(path => path !== '' && existsSync(path))

/** For `t.test(…, { skip })`: false, or why no browser can look. */
export const noChromium = executablePath === undefined ? 'no Chromium is installed (apt-get install chromium)' : false

export const adminToken = 'a-token-for-tests-only'
export const phone = { width: 360, height: 780 }

export const files = {
  'schemas/ticks.yaml': `description: Ticks that are made for a test
key: [symbol]
event_time: time
fields:
  symbol: { type: string, required: true, low_cardinality: true, description: Instrument }
  time: { type: timestamp(ms), required: true, cast: { unit: ms }, description: When it was made }
  price: { type: 'decimal(18, 4)', description: Price, unit: USD }
`,
  'pipelines/ticks.yaml': `description: Ticks that are made for a test
input:
  generate: { rate: 40, fields: { symbol: { choice: [AAPL, MSFT] }, time: { clock: ms }, price: { walk: 100, step: 0.01 } } }
topic: ticks
transforms: [{ mapping: ticks }]
outputs: [{ streaming-database: {} }, { lake: {} }]
`,
  'schemas/trades.yaml': `description: Trades of a desk
fields:
  symbol: { type: string, required: true, description: Instrument }
  price: { type: 'decimal(18, 4)', required: true, description: Price }
`,
  'pipelines/desk.yaml': `description: Trades of a desk, from files
schedule: manual
input: { file: inbox/*.csv }
topic: trades
transforms: [{ mapping: trades }]
outputs: [{ streaming-database: {} }]
`,
  'config/cost.yaml': readFileSync(join(root, 'config', 'cost.yaml'), 'utf8'),
  // The last row is refused.
  'inbox/monday.csv': 'symbol,price\nAAPL,193.25\nMSFT,402.10\nIBM,not a price\n'
}

export interface Look extends BrowserContextOptions {
  /** A token that the tab has; left out: nobody is logged in. */
  readonly token?: string
}

export interface Stage {
  readonly platform: RunningPlatform
  readonly url: string
  /** The folder of the project. */
  readonly folder: string
  /** A tab of its own, without what others have stored. Texts on its console and faults of scripts are collected. */
  open (look?: Look): Promise<{ readonly page: Page, readonly context: BrowserContext, readonly complaints: string[] }>
}

export async function openStage (t: Test, more: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const started: RunningPlatform[] = []
  const browsers: Browser[] = []
  t.teardown(async () => {
    for (const browser of browsers) await browser.close()
    for (const platform of started) await platform.kill()
  })
  const project = makeProject(join(t.testdir(), 'project'), { ...files, ...more })
  // Whatever was started is ended, also where the other one fails.
  const [platform, browser] = await Promise.all([
    startPlatform(project, { TWOLANE_ADMIN_TOKEN: adminToken }).then(one => { started.push(one); return one }),
    chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox', '--disable-dev-shm-usage'] }).then(one => { browsers.push(one); return one })
  ])
  await eventually('rows of the stream', async () => {
    const { body } = await platform.api<{ steps: ReadonlyArray<{ step: string, rows_per_second: number }> }>('GET', '/v1/pipelines/ticks')
    return body.steps?.some(({ step, rows_per_second: rate }) => step === 'outputs.streaming-database' && rate > 0) ? true : undefined
  })
  return {
    platform,
    url: platform.url,
    folder: project.folder,
    async open ({ token, ...options } = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, reducedMotion: 'reduce', ...options })
      context.setDefaultTimeout(WAIT_MS_MAX)
      if (token !== undefined) await context.addInitScript(`sessionStorage.setItem('twolane.token', ${JSON.stringify(token)})`)
      const page = await context.newPage()
      const complaints: string[] = []
      page.on('console', message => { if (['error', 'warning'].includes(message.type())) complaints.push(`${message.text()} ${message.location().url}`) })
      page.on('pageerror', error => complaints.push(String(error)))
      return { page, context, complaints }
    }
  }
}

/** Goes to a place in the page and waits until it is drawn: its title stands there and nothing is being loaded. */
export async function visit (page: Page, { url }: Pick<Stage, 'url'>, hash: string): Promise<void> {
  await page.goto(`${url}/${hash}`)
  await settled(page)
}

export async function settled (page: Page): Promise<void> {
  // Another place of the same page is no navigation to wait for: it has begun to draw two frames later.
  await page.evaluate('new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))')
  await page.locator('h1').first().waitFor()
  await page.locator('.skeleton').first().waitFor({ state: 'detached' })
}

/** Violations of the rules of axe-core, one line each; `rules`: these only; `without`: selectors of what is not looked at. */
export async function violations (page: Page, { rules, without = [] }: { readonly rules?: readonly string[], readonly without?: readonly string[] } = {}): Promise<string[]> {
  // An address of the page's own would be refused by its policy; what the debugger evaluates is not asked.
  if (!await page.evaluate<boolean>('"axe" in window')) await page.evaluate(axe.source)
  const options = rules === undefined ? { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] } : { runOnly: { type: 'rule', values: rules } }
  const context = without.length === 0 ? 'document' : `{ exclude: ${JSON.stringify(without.map(selector => [selector]))} }`
  const found = await page.evaluate<ReadonlyArray<{ id: string, help: string, nodes: ReadonlyArray<{ html: string }> }>>(`axe.run(${context}, ${JSON.stringify({ ...options, resultTypes: ['violations'] })}).then(({ violations }) => violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ html }) => ({ html })) })))`)
  return found.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)).join(' | ')}`)
}

/** Pixels by which the page is wider than its window. */
export function overflow (page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
}
