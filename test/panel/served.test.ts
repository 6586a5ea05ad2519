// How the page is served: by name and content, compressed, under a strict policy, and never in the way of the rest.

import t from 'tap'
import { openEndpoint } from '../runtime/control/endpoint.ts'

await t.test('the page as it is served', async t => {
  const { app } = await openEndpoint(t, {})
  const get = (url: string, headers: Record<string, string> = {}) => app.inject({ method: 'GET', url, headers: { host: '127.0.0.1', ...headers } })

  await t.test('it is for anyone, under a policy that lets nothing but its own scripts run', async t => {
    for (const url of ['/', '/status']) {
      const { statusCode, headers, body } = await get(url)
      t.equal(statusCode, 200)
      const policy = String(headers['content-security-policy'])
      t.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/)
      t.match(policy, /frame-ancestors 'none'; base-uri 'none'; form-action 'self'/)
      t.notMatch(policy, /unsafe|\*/)
      t.equal(headers['cache-control'], 'no-cache')
      t.notMatch(body, /<script(?![^>]*src=)|<style| style=| on[a-z]+=/, 'nothing stands in the page itself')
    }
  })

  await t.test('its files have names by content, which are kept for good', async t => {
    const { body } = await get('/')
    const names = [...body.matchAll(/\/assets\/[\w-]+\.(?:js|css)/g)].map(([name]) => name)
    t.ok(names.length >= 2)
    for (const name of names) {
      const plain = await get(name)
      t.equal(plain.headers['cache-control'], 'public, max-age=31536000, immutable')
      const compressed = await get(name, { 'accept-encoding': 'gzip, deflate, br' })
      t.equal(compressed.headers['content-encoding'], 'br')
      t.ok(compressed.rawPayload.length < plain.rawPayload.length)
      const again = await get(name, { 'if-none-match': String(plain.headers.etag) })
      t.equal(again.statusCode, 304)
      t.equal(again.body, '')
    }
  })

  await t.test('a file that there is not is a problem, whatever its name', async t => {
    for (const url of ['/assets/main-AAAAAAAA.js', '/assets/..%2f..%2fpackage.json', '/assets/%2e%2e%2fpanel.ts', '/assets/__proto__.js']) {
      const { statusCode, headers } = await get(url)
      t.ok([404, 422].includes(statusCode), url)
      t.match(headers['content-type'], /application\/problem\+json/)
    }
  })

  await t.test('code that draws charts is loaded when a chart is shown, not before', async t => {
    const { body } = await get('/')
    const first = await Promise.all([...body.matchAll(/\/assets\/[\w-]+\.js/g)].map(async ([name]) => (await get(name)).body))
    t.notMatch(first.join(''), /uplot|CandlestickSeries/i)
  })
})
