// config/cost.yaml: what machines, disks, stores and traffic cost.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PlatformError } from '../errors.ts'
import { configInvalid, quote, suggest } from '../problems.ts'
import { checkYaml, readYaml } from '../yaml.ts'

export interface Machine {
  readonly name: string
  readonly cores: number
  readonly memory_gigabytes: number
  readonly price_an_hour: number
}

/** Prices in `currency`; gigabytes are 10^9 bytes, as providers count them. */
export interface Prices {
  readonly provider: string
  /** When they were looked up. */
  readonly prices_of: string
  readonly currency: string
  readonly budget_a_month: number
  readonly machine: { readonly hours_a_month: number, readonly name: string, readonly choices: readonly Machine[] }
  /** `gigabytes`: of the disk that is paid for; left out: what is used. */
  readonly disk: { readonly price_a_gigabyte_month: number, readonly gigabytes?: number }
  readonly object_storage: { readonly price_a_gigabyte_month: number, readonly price_a_thousand_writes: number, readonly price_a_thousand_reads: number }
  readonly traffic: { readonly free_gigabytes_a_month: number, readonly price_a_gigabyte: number }
}

export const COST_FILE = 'config/cost.yaml'

const price = (description: string): object => ({ type: 'number', minimum: 0, maximum: 1e6, description })
const object = (description: string, properties: Readonly<Record<string, object>>, optional: readonly string[] = []): object => ({
  type: 'object', additionalProperties: false, description, required: Object.keys(properties).filter(name => !optional.includes(name)), properties
})
const text = (description: string): object => ({ type: 'string', minLength: 1, maxLength: 200, description })

/** The form of the file as JSON Schema: it checks it, and completes it in an editor. */
export const costForm = object('What machines, disks, stores and traffic cost.', {
  provider: text('Whose prices they are.'),
  prices_of: { type: 'string', pattern: '^\\d{4}(?:-\\d\\d(?:-\\d\\d)?)?$', description: 'When they were looked up: a year, month or day, in quotes.', examples: ['2025-06'] },
  currency: { type: 'string', pattern: '^[A-Z]{3}$', description: 'Of all prices: three letters, such as USD.' },
  budget_a_month: price('What the platform may cost a month.'),
  machine: object('The machine that the platform runs on.', {
    hours_a_month: { type: 'number', minimum: 1, maximum: 744, description: 'Hours of a month that sizes are reckoned with.' },
    name: text('Name of the one that it runs on, which is one of the choices.'),
    choices: {
      type: 'array',
      minItems: 1,
      maxItems: 100,
      description: 'All that can be chosen from, the cheapest first.',
      items: object('A machine.', {
        name: text('Its name.'),
        cores: { type: 'integer', minimum: 1, maximum: 1024, description: 'How many it has.' },
        memory_gigabytes: { type: 'number', exclusiveMinimum: 0, maximum: 65_536, description: 'Its memory.' },
        price_an_hour: price('What an hour of it costs.')
      })
    }
  }),
  disk: object('Block storage.', {
    price_a_gigabyte_month: price('What a gigabyte costs a month.'),
    gigabytes: { type: 'number', exclusiveMinimum: 0, maximum: 1e6, description: 'Size of the disk that is paid for; where it is left out, what is used is reckoned.' }
  }, ['gigabytes']),
  object_storage: object('A store such as S3.', {
    price_a_gigabyte_month: price('What a gigabyte costs a month.'),
    price_a_thousand_writes: price('What a thousand requests that write or list cost.'),
    price_a_thousand_reads: price('What a thousand requests that read cost.')
  }),
  traffic: object('Out to the internet.', {
    free_gigabytes_a_month: { type: 'number', minimum: 0, maximum: 1e9, description: 'What costs nothing.' },
    price_a_gigabyte: price('What a gigabyte above that costs.')
  })
})

/** Throws one CONFIG_INVALID that lists all that is wrong, with line and column. */
export function parsePrices (text: string, file = COST_FILE): Prices {
  const yaml = readYaml(file, text)
  const prices = checkYaml<Prices>(yaml, costForm as Readonly<Record<string, unknown>>)
  const { name, choices } = prices.machine
  const names = choices.map(choice => choice.name)
  const problems = names.flatMap((one, i) => names.indexOf(one) === i ? [] : [yaml.problem(['machine', 'choices', i, 'name'], `stands twice: ${quote(one)}`)])
  if (!names.includes(name)) problems.push(yaml.problem(['machine', 'name'], `none of the choices is called ${quote(name)}${suggest(name, names)}`))
  if (problems.length > 0) throw configInvalid(problems)
  return prices
}

/** Of a project. Throws NOT_FOUND where it has no such file. */
export async function readPrices (root: string): Promise<Prices> {
  try {
    return parsePrices(await readFile(join(root, COST_FILE), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new PlatformError('NOT_FOUND', `There is no ${COST_FILE}, so nothing is known of prices`, { remedy: 'Copy the one that the platform comes with, and write your prices into it.' })
  }
}

/** The machine that the platform runs on. */
export function machineOf ({ machine: { name, choices } }: Prices): Machine {
  return choices.find(choice => choice.name === name) as Machine
}

/** What one answer costs beyond what is paid anyway: its share of the machine's time, and its bytes as if none were free. */
export function priceOf (prices: Prices, { cpuSeconds, bytesSent }: { readonly cpuSeconds: number, readonly bytesSent: number }): number {
  const { cores, price_an_hour: hour } = machineOf(prices)
  return cpuSeconds / 3600 / cores * hour + bytesSent / 1e9 * prices.traffic.price_a_gigabyte
}
