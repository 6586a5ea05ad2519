// Files of answers. A small one is fetched here, so that what goes wrong can be said. A large one would fill the memory of
// the tab: the browser fetches it by itself, with the cookie; who uses a pasted token has no cookie, and makes an export.

import { callOf, estimateOf, typedOf } from './question.ts'
import { addressOf, ApiProblem, get, send } from '../../kit/api.ts'
import { pastedToken } from '../../kit/session.ts'
import type { Estimated } from './estimate.ts'
import type { Format, Question } from './question.ts'

/** From so many bytes on a file is for an export, or for the browser itself. */
export const EXPORT_BYTES_MIN = 100_000_000
const ADDRESS_CHARS_MAX = 6000
const KEPT_MS = 60_000

/** Resolves with the bytes of the file; undefined: the browser goes on fetching it. Rejects with an ApiProblem. */
export async function download (question: Question, format: Format): Promise<number | undefined> {
  const { path, query } = callOf(question, format)
  const address = addressOf(path, query)
  const estimate = await get<Estimated>(estimateOf(question))
  if (!estimate.allowed) throw refused(estimate.reason)
  if (estimate.bytes >= EXPORT_BYTES_MIN) {
    if (pastedToken() !== null || address.length > ADDRESS_CHARS_MAX) throw refused('The answer may be too large for a download in the browser')
    follow(address, '')
    return undefined
  }
  const response = address.length > ADDRESS_CHARS_MAX ? await send('POST', path, { body: typedOf(query) }) : await send('GET', address)
  const blob = await response.blob()
  const url = URL.createObjectURL(blob)
  follow(url, nameOf(response, `${question.dataset}.${format}`))
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS)
  return blob.size
}

/** Fetches a file of the platform, such as one of an export, in the way that fits how one is logged in. */
export async function downloadFile (path: string, name: string): Promise<void> {
  if (pastedToken() === null) return follow(path, name)
  const url = URL.createObjectURL(await (await send('GET', path)).blob())
  follow(url, name)
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS)
}

function follow (url: string, name: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
}

function nameOf (response: Response, fallback: string): string {
  return /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? fallback
}

function refused (detail: string): ApiProblem {
  return new ApiProblem({ status: 422, code: 'TOO_LARGE', title: 'Too large', detail, remedy: 'Make an export: its files are written in the background. Or take a shorter range, or fewer fields.' })
}
