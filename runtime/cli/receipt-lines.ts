import type { FileProblem } from '../files.ts'
import type { Change, Plan, Receipt } from '../receipt.ts'

const signs = { added: '+', changed: '~', removed: '-' } as const

/** What a reload did, for people. */
export function receiptLines ({ revision, outcome, reason, problems, changes, runtimes, ms }: Receipt): string[] {
  const verdicts = {
    applied: `Applied as revision ${revision} in ${ms} ms`,
    unchanged: 'Nothing has changed',
    rejected: 'Rejected; everything runs on as it was:',
    rolled_back: 'Rolled back; everything runs as before:'
  }
  return [
    verdicts[outcome],
    ...changes.map(change => `  ${changeText(change)} (${change.inFlight === 'none' ? 'nothing was in flight' : `rows in flight: ${change.inFlight}`}, ${change.ms} ms)`),
    ...runtimes.map(({ runtime, outcome, ms }) => `  runtime ${runtime}: ${outcome.replace('_', ' ')} in ${ms} ms`),
    ...(problems.length > 0 ? problemLines(problems) : reason.split('\n').filter(line => line !== '').map(line => `  ${line}`))
  ]
}

/** What a reload would do now, for people. */
export function planLines ({ hash, changes, unchanged, problems }: Plan): string[] {
  return [
    ...(changes.length === 0 ? ['Nothing would change'] : changes.map(changeText)),
    ...(unchanged.length === 0 ? [] : [`  ${unchanged.join(', ')}: unchanged`]),
    ...(problems.length === 0 ? [] : ['A reload would be rejected:', ...problemLines(problems)]),
    ...(changes.length === 0 || problems.length > 0 ? [] : [`Apply exactly this: npx twolane reload --plan ${hash}`])
  ]
}

function changeText ({ pipeline, change, from, to }: Change): string {
  return `${signs[change]} ${pipeline} ${change}${change === 'changed' ? ` ${from?.slice(0, 8)} ▶ ${to?.slice(0, 8)}` : ''}`
}

function problemLines (problems: readonly FileProblem[]): string[] {
  return problems.flatMap(({ message }) => message.split('\n').map(line => `  ${line}`))
}
