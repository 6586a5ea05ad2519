// What a change of access may do, told by comparing all users before and after it: nobody gives, takes or changes what they
// do not have themselves, and one admin is always left. A disabled user counts as if enabled: what is given to one would lie
// there until an admin enables them, and so would a password that somebody knows.

import { PlatformError } from '../errors.ts'
import { fingerprint, lacks, nothing } from './rights.ts'
import { ADMIN_ROLE } from './roles.ts'
import type { Directory, User } from './directory.ts'
import type { Quota } from './principal.ts'
import type { Rights } from './rights.ts'

export interface Standing {
  readonly user: User
  /** What they have now. */
  readonly rights: Rights
  /** What they would have, enabled. */
  readonly whole: Rights
  readonly isAdmin: boolean
}

export type Standings = ReadonlyMap<string, Standing>

export function standingsOf (directory: Directory): Standings {
  return new Map(directory.users().map(user => [user.user, {
    user,
    rights: directory.rights(user.user),
    whole: directory.wholeRights(user),
    isAdmin: !user.disabled && directory.rolesOf(user).some(({ role }) => role === ADMIN_ROLE)
  }]))
}

/** Throws SCOPE_MISSING or LAST_ADMIN; else the users who have to log in again. */
export function checkStandings (giver: { readonly rights: Rights, readonly quota: Quota }, before: Standings, after: Standings): string[] {
  const admins = (standings: Standings): number => [...standings.values()].filter(({ isAdmin }) => isAdmin).length
  if (admins(before) > 0 && admins(after) === 0) throw new PlatformError('LAST_ADMIN', 'Then there would be no admin any more', { remedy: `Give the role ${ADMIN_ROLE} to another user first.` })
  const ended: string[] = []
  for (const user of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(user), after.get(user)]
    if (isSame(old, now)) continue
    refuseUnless([...lacks(giver.rights, old?.whole ?? nothing), ...lacks(giver.rights, now?.whole ?? nothing), ...larger(giver.quota, old?.user, now?.user)])
    if (fingerprint({ ...old?.rights ?? nothing, grants: [] }) !== fingerprint({ ...now?.rights ?? nothing, grants: [] })) ended.push(user)
  }
  return ended
}

export function refuseUnless (missing: readonly string[]): void {
  if (missing.length === 0) return
  const [first = ''] = missing
  throw new PlatformError('SCOPE_MISSING', `Nobody gives, takes or changes what they do not have themselves; here that is ${missing.length === 1 ? first : `${first}, and ${missing.length - 1} more`}`, { remedy: 'Ask an admin.' })
}

/** Whether all that lets somebody in, or says what they may do, is as it was. */
function isSame (old: Standing | undefined, now: Standing | undefined): boolean {
  if (old === undefined || now === undefined) return old === now
  const of = ({ user: { password, email, subject, disabled, quota }, whole }: Standing): string => JSON.stringify([password, email, subject, disabled, quota.requests_per_second, quota.rows_per_day, fingerprint(whole)])
  return of(old) === of(now)
}

/** Quotas that a change makes larger than those of who makes it. */
function larger ({ requestsPerSecond, rowsPerDay }: Quota, old: User | undefined, now: User | undefined): string[] {
  const exceeds = (max: number | undefined, before: number | null | undefined, after: number | null | undefined): boolean => max !== undefined && after !== undefined && after !== before && (after === null || after > max)
  return [
    ...exceeds(requestsPerSecond, old?.quota.requests_per_second, now?.quota.requests_per_second) ? ['a quota of more requests'] : [],
    ...exceeds(rowsPerDay, old?.quota.rows_per_day, now?.quota.rows_per_day) ? ['a quota of more rows'] : []
  ]
}
