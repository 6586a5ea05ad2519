// For work on the page: bundles it anew at each load, and hands everything else on to a platform that runs already.
//
//   node test/panel/develop.ts http://127.0.0.1:8080 8090

import { createServer, request } from 'node:http'
import { bundlePanel } from '../../runtime/control/panel-bundle.ts'
import type { Asset, PanelFiles } from '../../runtime/control/panel-bundle.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'

const [platform = 'http://127.0.0.1:8080', port = '8090'] = process.argv.slice(2)
let files: PanelFiles | undefined

createServer((incoming, response) => { void answer(incoming, response) }).listen(Number(port), '127.0.0.1', () => {
  console.log(`The page: http://127.0.0.1:${port}/ with the platform at ${platform}`)
})

async function answer (incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = incoming.url?.split('?')[0] ?? '/'
  if (path === '/' || path === '/status') {
    try {
      files = await bundlePanel()
    } catch (error) {
      console.error(error instanceof Error ? error.message : error)
      response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error))
      return
    }
    return send(response, path === '/' ? files.panel : files.status)
  }
  const asset = files?.assets.get(path.replace('/assets/', ''))
  if (asset !== undefined) return send(response, asset)
  handOn(incoming, response)
}

function send (response: ServerResponse, { type, plain }: Asset): void {
  response.writeHead(200, {
    'content-type': type,
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"
  }).end(plain)
}

function handOn (incoming: IncomingMessage, response: ServerResponse): void {
  const { origin: _origin, referer: _referer, ...headers } = incoming.headers
  const outgoing = request(new URL(incoming.url ?? '/', platform), { method: incoming.method ?? 'GET', headers: { ...headers, host: new URL(platform).host } }, answer => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  outgoing.on('error', error => {
    if (!response.headersSent) response.writeHead(502, { 'content-type': 'text/plain' })
    response.end(String(error))
  })
  response.once('close', () => outgoing.destroy())
  incoming.pipe(outgoing)
}
