// The work in Bento's words. Tried on two cores, per million rows of NDJSON: batches of 20 to 300 rows (fewest
// processor seconds at 100, twice the memory at 1,000), one to two processors (one is cheaper), replay of what an output
// refuses on and off, the mapping line by line and as one object, and the lines of a batch put together before they are
// written. What is below was the cheapest.

import { stringify } from 'yaml'

const BATCH = 100
/** One thread of Go's: with more of them, more is spent on handing rows over. */
export const bentoEnv = { GOMAXPROCS: '1', GOGC: '400' }

/** The casts of the schema. Bento has no decimals: prices become doubles, which is less work. */
const mapping = `root = {
  "symbol": this.symbol,
  "event_time": (this.event_time.number() / 1000 + 0.00001).ts_format("2006-01-02T15:04:05.000Z", "UTC"),
  "last": this.last.trim_prefix("C").trim_prefix("H").number(),
  "bid": this.bid.number(),
  "ask": this.ask.number(),
  "bid_size": this.bid_size.int64(),
  "ask_size": this.ask_size.int64(),
  "volume": (if this.volume.has_suffix("K") { this.volume.trim_suffix("K").number() * 1000 } else { this.volume.number() }),
  "exchange": (if this.exchange != "not present in source system" { this.exchange }),
  "source": (if ["interactive-brokers", "simulator"].contains(this.source) { this.source } else { throw("unknown source") })
}`

const common = {
  http: { enabled: false },
  logger: { level: 'ERROR' },
  pipeline: { processors: [{ mapping }] }
}

/** file ▶ mapping ▶ file: it ends with the file. */
export function bentoFile (from: string, to: string): string {
  const scanner = from.endsWith('.csv') ? { csv: {} } : { lines: {} }
  return stringify({
    ...common,
    input: { broker: { inputs: [{ file: { paths: [from], scanner, auto_replay_nacks: false } }], batching: { count: BATCH } } },
    output: { file: { path: to, codec: 'lines' }, processors: [{ archive: { format: 'lines' } }] }
  })
}

/** Kafka ▶ mapping ▶ drop: it runs for ever. */
export function bentoKafka (brokers: string, topic: string, group: string): string {
  return stringify({
    ...common,
    input: {
      kafka_franz: {
        seed_brokers: [brokers], topics: [topic], consumer_group: group, start_from_oldest: true, commit_period: '200ms', checkpoint_limit: 20_000, auto_replay_nacks: false, batching: { count: BATCH }
      }
    },
    output: { drop: {} }
  })
}
