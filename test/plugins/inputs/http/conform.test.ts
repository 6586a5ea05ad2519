import t from 'tap'
import http from '../../../../plugins/inputs/http/index.ts'
import { conformInput } from '../../../conform/input.ts'
import { restSource } from './source.ts'
import type { Json } from '../../../../runtime/plugin.ts'
import type { RestSource } from './source.ts'

const kinds: Record<string, Record<string, Json>> = {
  'by offset': { paging: { kind: 'offset', size: 7, size_parameter: 'limit' } },
  'by page': { paging: { kind: 'page', size: 7, size_parameter: 'limit' } },
  'by cursor': { paging: { kind: 'cursor', next: '/next', size: 7, size_parameter: 'limit' } },
  'by link': { paging: { kind: 'link', size: 7, size_parameter: 'limit' } },
  whole: { paging: { kind: 'none' } }
}

for (const [name, paging] of Object.entries(kinds)) {
  await t.test(`${name}, what is new conforms`, async t => {
    await conformInput(t, {
      plugin: http,
      replays: true,
      async source () {
        const rows: unknown[] = []
        const server = await growing(rows)
        return {
          config: { ...common(server), ...paging },
          produce: (from, to) => { for (let n = from; n < to; n++) rows.push({ n }) },
          malformed: () => {
            rows.push(5)
            return 1
          },
          close: () => server.close()
        }
      },
      async silent () {
        const server = await growing([])
        return { config: { ...common(server), ...paging }, produce () {}, close: () => server.close() }
      },
      async broken () {
        const server = await growing([])
        await server.close()
        return { config: { ...common(server), ...paging, retries: 0 }, says: /could not be read.*ECONNREFUSED/ }
      }
    })
  })
}

function common ({ url }: RestSource): Record<string, Json> {
  return { url, rows: '/rows', poll_seconds: 0.01, incremental: { field: 'n', parameter: 'from', ascending: true } }
}

/** Rows from `n` >= from on; the rest as their position says. */
function growing (rows: readonly unknown[]): Promise<RestSource> {
  let bad = 0
  return restSource(({ query, path }) => {
    const first = query['from'] === undefined ? 0 : Number(query['from'])
    // What is no row is given once.
    const found = rows.filter(row => typeof row === 'object' ? (row as { n: number }).n >= first : bad++ === 0)
    const limit = Number(query['limit'] ?? Infinity)
    const at = Number(query['cursor'] ?? query['offset'] ?? (Number(query['page'] ?? 1) - 1) * limit) || 0
    const more = at + limit < found.length
    return {
      json: { rows: found.slice(at, at + limit), next: more ? String(at + limit) : null },
      headers: more ? { link: `<${path}?${new URLSearchParams({ ...query, offset: String(at + limit) }).toString()}>; rel="next"` } : {}
    }
  })
}
