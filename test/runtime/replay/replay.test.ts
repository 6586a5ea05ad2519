import t from 'tap'
import { main } from '../../../runtime/cli/main.ts'
import { until } from '../../conform/context.ts'
import { capture } from '../cli/capture.ts'
import { openEndpoint, token } from '../control/endpoint.ts'

const ROWS = 400
const begin = Date.UTC(2024, 0, 2)
const schema = `key: [symbol]
event_time: time
partitions: 2
fields:
  n: { type: int64, required: true }
  symbol: { type: string, required: true }
  time: { type: timestamp(ms), required: true, cast: { unit: ms } }
`
// One and then the other half: the second one happened before.
const numbers = [...Array.from({ length: ROWS / 2 }, (_, i) => ROWS / 2 + i), ...Array.from({ length: ROWS / 2 }, (_, i) => i)]

const endpoint = await openEndpoint(t, {
  'schemas/ticks.yaml': schema,
  'schemas/again.yaml': schema.replace('partitions: 2', 'partitions: 1'),
  'pipelines/ticks.yaml': 'input: { file: { path: rows.ndjson } }\ntopic: ticks\n',
  'rows.ndjson': numbers.map(n => `${JSON.stringify({ n, symbol: `S${n % 5}`, time: begin + n * 1000, venue: 'X' })}\n`).join('')
})
const { ask } = endpoint

interface Run { readonly id: string, readonly state: string, readonly rows: number, readonly error: string }

async function replay (payload: object): Promise<Run> {
  const answer = await ask('POST', '/v1/replays', { payload })
  t.equal(answer.statusCode, 202, answer.body)
  return answer.json<Run>()
}

async function look ({ id }: Run): Promise<Run> {
  return (await ask('GET', `/v1/jobs/replay/runs/${id}`)).json<Run>()
}

async function rowsOf (topic: string): Promise<Array<{ readonly n: number, readonly extra?: object }>> {
  return (await ask('GET', `/v1/topics/${topic}/tail?rows=1000`)).json<{ rows: Array<{ row: { n: number } }> }>().rows.map(({ row }) => row)
}

await t.test('a replay is a run of the job, and any pipeline can take its rows', async t => {
  await until(async () => (await rowsOf('ticks')).length === ROWS, 'the rows that are to be replayed')
  const run = await replay({ topic: 'ticks', into: 'again' })
  await until(async () => (await look(run)).state !== 'queued' && (await look(run)).state !== 'running', 'the run ends')
  t.match(await look(run), { state: 'succeeded', rows: ROWS, error: '' })
  const rows = await rowsOf('again')
  t.strictSame(rows.map(({ n }) => n), Array.from({ length: ROWS }, (_, n) => n), 'in the order in which they happened')
  t.match(rows[3], { symbol: 'S3', extra: { venue: 'X' } })
})

await t.test('what makes no sense is refused before anything begins', async t => {
  const refused = async (payload: object): Promise<string> => (await ask('POST', '/v1/replays', { payload })).body
  t.match(await refused({ topic: 'ticks', into: 'nowhere' }), /There is no topic \\"nowhere\\".*schemas\/nowhere\.yaml/)
  t.match(await refused({ topic: 'ticks', into: 'ticks' }), /into ticks itself/)
  t.match(await refused({ topic: 'ticks', into: 'again', speed: 'fast' }), /speed \\"fast\\" is not understood/)
  t.match(await refused({ topic: 'ticks', into: 'again', from: '2024-13-01' }), /no time that there is/)
  t.match(await refused({ topic: 'ticks', into: 'again', source: 'lake' }), /No pipeline keeps a lake of ticks/)
  t.match(await refused({ topic: 'ticks', into: 'again', from: '2024-01-02', to: '2024-01-02' }), /no time between/)
})

await t.test('the command cancels its replay when it is interrupted', async t => {
  const address = await endpoint.app.listen({ port: 0, host: '127.0.0.1' })
  const interrupted = new AbortController()
  const { terminal, complaints } = capture(endpoint.project.folder, { TWOLANE_URL: address, TWOLANE_ADMIN_TOKEN: token })
  const ended = main(['replay', 'ticks', '--into', 'again', '--speed', '1x', '--source', 'topic'], { ...terminal, signal: interrupted.signal })
  const newest = async (): Promise<Run | undefined> => (await ask('GET', '/v1/jobs/replay/runs?limit=1')).json<{ runs: Run[] }>().runs[0]
  await until(async () => ((await newest())?.rows ?? 0) > 0 && (await newest())?.state === 'running', 'the replay sends rows')
  interrupted.abort()
  t.equal(await ended, 1)
  t.match(complaints.join('\n'), /is being cancelled/)
  await until(async () => (await newest())?.state === 'cancelled', 'it is cancelled')
})
