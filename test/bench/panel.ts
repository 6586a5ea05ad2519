// What the web page weighs, and how soon a browser shows it: on a platform of its own, in a Chromium with an empty cache.
//
//   node test/bench/panel.ts [times]

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { bundlePanel } from '../../runtime/control/panel-bundle.ts'
import { files } from '../panel/stage.ts'
import { makeProject, startPlatform } from '../system/project.ts'
import type { Browser } from 'playwright-core'

const times = Number(process.argv[2] ?? 5)
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const token = 'a-token-for-tests-only'

interface Load { readonly requests: number, readonly bytes: number, readonly firstPaintMs: number, readonly readyMs: number, readonly longestTaskMs: number }

const begin = performance.now()
const { assets } = await bundlePanel()
const bundleMs = performance.now() - begin
const all = [...assets.values()]
console.log(`bundle            ${all.length} files, ${kilobytes(all.reduce((sum, { plain }) => sum + plain.length, 0))}, with brotli ${kilobytes(all.reduce((sum, { brotli }) => sum + brotli.length, 0))}; made in ${bundleMs.toFixed(0)} ms`)

if (executablePath === undefined) console.log('no Chromium is installed: nothing is loaded')
else {
  const folder = mkdtempSync(join(tmpdir(), 'panel-bench-'))
  const platform = await startPlatform(makeProject(join(folder, 'project'), files))
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  try {
    for (const [what, hash, ready] of [['Home', '#/home', '.verdict-sentence'], ['Pipelines', '#/pipelines', '.map-node'], ['charts', '#/pipelines/ticks?tab=charts', '.plot canvas'], ['status', 'status', '.verdict-sentence']] as const) {
      const loads: Load[] = []
      for (let i = 0; i < times; i++) loads.push(await load(browser, `${platform.url}/${hash}`, ready))
      const median = (value: (load: Load) => number): number => loads.map(value).sort((a, b) => a - b)[Math.floor(loads.length / 2)] ?? NaN
      console.log(`${what.padEnd(18)}${median(one => one.requests)} files of the page, ${kilobytes(median(one => one.bytes))} compressed; first paint ${median(one => one.firstPaintMs).toFixed(0)} ms, shown with data ${median(one => one.readyMs).toFixed(0)} ms, longest task ${median(one => one.longestTaskMs).toFixed(0)} ms`)
    }
  } finally {
    await browser.close()
    await platform.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Opens an address with an empty cache, and waits until `ready` shows what the API said. */
async function load (browser: Browser, address: string, ready: string): Promise<Load> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } })
  await context.addInitScript(`sessionStorage.setItem('twolane.token', ${JSON.stringify(token)})
    window.tasks = []
    new PerformanceObserver(list => window.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask', buffered: true })`)
  const page = await context.newPage()
  const begin = performance.now()
  await page.goto(address)
  await page.locator(ready).first().waitFor()
  const readyMs = performance.now() - begin
  const entries = await page.evaluate<Array<{ name: string, bytes: number }>>('[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].map(({ name, encodedBodySize }) => ({ name, bytes: encodedBodySize }))')
  const firstPaintMs = await page.evaluate<number>('performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0')
  const longestTaskMs = await page.evaluate<number>('Math.max(0, ...window.tasks)')
  await context.close()
  const own = entries.filter(({ name }) => !name.includes('/v1/') && !name.startsWith('data:'))
  return { requests: own.length, bytes: own.reduce((sum, { bytes }) => sum + bytes, 0), firstPaintMs, readyMs, longestTaskMs }
}

function kilobytes (bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`
}
