// One message to one destination. What is sent to a webhook is signed:
//
//   twolane-signature: t=1704205800,v1=<hex of HMAC-SHA256 over "1704205800." and the body, with the secret>
//   twolane-delivery:  the same for each try of one message, so that a repeated one can be told

import { createHmac } from 'node:crypto'
import { createTransport } from 'nodemailer'
import { request } from 'undici'
import { PlatformError } from '../errors.ts'
import type { Destination } from './alert-file.ts'

const SEND_MS_MAX = 10_000
const TEXT_CHARACTERS_MAX = 30_000

/** One line of a message. */
export interface Told {
  readonly kind: 'firing' | 'again' | 'resolved' | 'test'
  readonly rule: string
  readonly severity: string
  /** One sentence. */
  readonly cause: string
  readonly remedy: string
  readonly datasets: readonly string[]
  /** ISO 8601, UTC. */
  readonly since: string
}

export interface Message {
  readonly id: string
  readonly alerts: readonly Told[]
  /** Where the panel is; empty: it is not known. */
  readonly url: string
}

/** Resolves once the destination has taken it. Throws DESTINATION_UNAVAILABLE or DESTINATION_REFUSED, without the address: it may hold a secret. */
export async function send (destination: Destination, message: Message, now = Date.now()): Promise<void> {
  if ('email' in destination) return mail(destination.email, message, destination.name)
  const body = JSON.stringify('slack' in destination ? { text: textOf(message) } : message)
  const signed = 'webhook' in destination ? signature(destination.webhook.secret, body, now) : {}
  let status: number
  try {
    const answer = await request('slack' in destination ? destination.slack.url : destination.webhook.url, {
      method: 'POST', body, headers: { 'content-type': 'application/json', 'user-agent': 'twolane', 'twolane-delivery': message.id, ...signed }, headersTimeout: SEND_MS_MAX, bodyTimeout: SEND_MS_MAX, signal: AbortSignal.timeout(SEND_MS_MAX)
    })
    status = answer.statusCode
    await answer.body.dump({ limit: 65_536 })
  } catch (cause) {
    throw new PlatformError('DESTINATION_UNAVAILABLE', `The destination ${destination.name} does not answer (${(cause as NodeJS.ErrnoException).code ?? (cause as Error).name})`)
  }
  // A redirection is not followed: the file names who is told.
  if (status < 200 || status > 299) throw new PlatformError(status >= 500 || status === 429 ? 'DESTINATION_UNAVAILABLE' : 'DESTINATION_REFUSED', `The destination ${destination.name} answered with ${status}`)
}

export function signature (secret: string, body: string, now: number): { readonly 'twolane-signature': string } {
  const at = Math.floor(now / 1000)
  return { 'twolane-signature': `t=${at},v1=${createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')}` }
}

async function mail ({ server, from, to }: Extract<Destination, { email: object }>['email'], message: Message, name: string): Promise<void> {
  // Its own limits are minutes, in which no other mail would go out.
  const transport = createTransport({ url: server, connectionTimeout: SEND_MS_MAX, greetingTimeout: SEND_MS_MAX, socketTimeout: SEND_MS_MAX, dnsTimeout: SEND_MS_MAX }, { from })
  try {
    await transport.sendMail({ to: [...to], subject: subjectOf(message), text: textOf(message), messageId: `<${message.id}@twolane>` })
  } catch (cause) {
    const { responseCode = 0, code = '' } = cause as { responseCode?: number, code?: string }
    throw new PlatformError(responseCode >= 500 ? 'DESTINATION_REFUSED' : 'DESTINATION_UNAVAILABLE', `The destination ${name} did not take the mail (${code}${responseCode === 0 ? '' : ` ${responseCode}`})`)
  } finally {
    transport.close()
  }
}

const words = { firing: 'Wrong', again: 'Still wrong', resolved: 'Resolved', test: 'Test' } as const

function subjectOf ({ alerts }: Message): string {
  const [first] = alerts
  if (first === undefined) return 'Twolane'
  return `Twolane: ${words[first.kind].toLowerCase()}: ${first.cause}`.replaceAll(/[\r\n]+/g, ' ').slice(0, 150) + (alerts.length > 1 ? ` (and ${alerts.length - 1} more)` : '')
}

export function textOf ({ alerts, url }: Message): string {
  const lines = alerts.flatMap(({ kind, cause, remedy, datasets, since }) => [
    `${words[kind]}: ${cause}`,
    ...datasets.length === 0 ? [] : [`  Datasets: ${datasets.slice(0, 10).join(', ')}${datasets.length > 10 ? ` and ${datasets.length - 10} more` : ''}`],
    ...remedy === '' || kind === 'resolved' ? [] : [`  ${remedy}`],
    `  Since ${since}`
  ])
  return [...lines, ...url === '' ? [] : [`${url}/#/home`]].join('\n').slice(0, TEXT_CHARACTERS_MAX)
}
