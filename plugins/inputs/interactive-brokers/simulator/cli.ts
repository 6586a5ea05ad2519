import { parseArgs } from 'node:util'
import { faultTable, parseFault } from './faults.ts'
import { startSimulator, type Simulator } from './simulator.ts'

const usage = `Usage: simulate interactive-brokers [--port 5000] [--host 127.0.0.1] [--tls] [--speed N] [--prices FILE] [--fault NAME[=key:value,…]]…
       simulate interactive-brokers --faults   prints the table of faults`

/** The command line of the simulator. Resolves when it listens; undefined when there was only something to print. */
export async function main (argv: readonly string[]): Promise<Simulator | undefined> {
  const { values } = parse(argv)
  if (values.help || values.faults) {
    console.log(values.faults ? faultTable() : usage)
    return undefined
  }
  const simulator = await startSimulator({
    port: toNumber('port', values.port),
    host: values.host,
    tls: values.tls,
    speed: toNumber('speed', values.speed),
    faults: values.fault.map(parseFault),
    ...(values.prices === undefined ? {} : { prices: values.prices })
  })
  const list = simulator.instruments.map(({ symbol, conid }) => `${symbol} ${conid}`)
  console.log(`Interactive Brokers gateway simulator: ${simulator.url} (WebSocket ${simulator.url.replace('http', 'ws')}/ws)`)
  console.log(`Instruments: ${list.slice(0, 20).join(', ')}${list.length > 20 ? `, and ${list.length - 20} more` : ''}`)
  console.log(`Faults: POST ${new URL('/simulator/faults', simulator.url).href} {"name":"drop-tcp"}`)
  return simulator
}

function parse (argv: readonly string[]) {
  const options = {
    port: { type: 'string', default: '5000' },
    host: { type: 'string', default: '127.0.0.1' },
    tls: { type: 'boolean', default: false },
    speed: { type: 'string', default: '1' },
    prices: { type: 'string' },
    fault: { type: 'string', multiple: true, default: [] as string[] },
    faults: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  } as const
  try {
    return parseArgs({ args: [...argv], options, strict: true })
  } catch (cause) {
    throw new Error(`${(cause as Error).message}\n${usage}`, { cause })
  }
}

function toNumber (name: string, text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value)) throw new Error(`--${name} ${text}: this is not a number\n${usage}`)
  return value
}

if (import.meta.main) await main(process.argv.slice(2))
