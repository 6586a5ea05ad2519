// What has changed since somebody looked the last time: reloads, and what was written into the audit log.

import type { Receipt } from '../receipt.ts'

/** Of one answer, newest first. */
export const CHANGES_MAX = 50

export interface ChangeSince {
  /** ms since 1970. */
  readonly at: number
  readonly kind: 'reload' | 'access'
  readonly who: string
  readonly what: string
}

/** An entry of the audit log, as far as it is needed here. */
export interface AuditLine {
  /** ms since 1970. */
  readonly at: number
  readonly user: string
  readonly action: string
  readonly target: string
}

/** Both in one list, newest first. */
export function changesSince (since: number, receipts: readonly Receipt[], audit: readonly AuditLine[]): ChangeSince[] {
  const reloads = receipts.filter(({ time, outcome }) => time >= since && outcome !== 'unchanged').map((receipt): ChangeSince => ({ at: receipt.time, kind: 'reload', who: '', what: reloadText(receipt) }))
  const entries = audit.filter(({ at }) => at >= since).map(({ at, user, action, target }): ChangeSince => ({ at, kind: 'access', who: user, what: target === '' ? action : `${action} ${target}` }))
  return [...reloads, ...entries].sort((a, b) => b.at - a.at).slice(0, CHANGES_MAX)
}

function reloadText ({ revision, outcome, changes, reason }: Receipt): string {
  if (outcome !== 'applied') return `Reload ${revision} was ${outcome === 'rejected' ? 'rejected' : 'rolled back'}: ${reason.split('\n')[0] ?? ''}`
  const shown = changes.slice(0, 5).map(({ pipeline, change }) => `${pipeline} ${change}`)
  return `Reload ${revision}: ${shown.length === 0 ? 'schemas or settings' : shown.join(', ')}${changes.length > shown.length ? ` and ${changes.length - shown.length} more` : ''}`
}
