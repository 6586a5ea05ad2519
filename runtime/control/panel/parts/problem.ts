import { Icon } from './icon.ts'
import { classes, html } from '../kit/html.ts'
import type { Problem } from '../kit/api.ts'
import type { ComponentChildren, VNode } from '../kit/html.ts'
import type { Resource } from '../kit/resource.ts'

/** What is wrong, what to do, and the id under which the log knows it. */
export function ProblemBox ({ problem, again, compact = false }: { readonly problem: Problem, readonly again?: () => unknown, readonly compact?: boolean }): VNode {
  const missing = problem.status === 404
  return html`<div class=${classes('problem', missing && 'missing', compact && 'compact')} role=${missing ? 'note' : 'alert'}>
    <${Icon} name=${missing ? 'idle' : 'bad'} />
    <div>
      <p><strong>${missing ? 'Not available' : problem.title}.</strong> ${problem.detail}${/[.!?]$/.test(problem.detail) ? '' : '.'} ${problem.remedy}</p>
      ${problem.problems !== undefined && problem.problems.length > 0 && html`<ul>${problem.problems.map(({ message, file, line, path }) => html`<li>${[file, line === 0 ? undefined : line].filter(one => one !== undefined).join(':')} ${path} ${message}</li>`)}</ul>`}
      ${problem.instance !== undefined && problem.status >= 500 && html`<p class="faint small">Request <code>${problem.instance}</code></p>`}
    </div>
    ${again !== undefined && html`<button type="button" onClick=${again}>Try again</button>`}
  </div>`
}

/** Nothing is there: says so, and what to do about it. */
export function Empty ({ title, children }: { readonly title: string, readonly children?: ComponentChildren }): VNode {
  return html`<div class="empty"><p><strong>${title}</strong></p>${children !== undefined && html`<div class="faint">${children}</div>`}</div>`
}

export function Skeleton ({ lines = 4 }: { readonly lines?: number }): VNode {
  return html`<div class="skeleton" role="status" aria-label="Loading">${Array.from({ length: lines }, (_, i) => html`<span class="w${i % 3}"></span>`)}</div>`
}

/**
 * Shows a resource: a skeleton until it comes, then what `children` make of it. A later failure stands above what was
 * there before.
 */
export function Loaded<T> ({ of, lines, children }: { readonly of: Resource<T>, readonly lines?: number, readonly children: (data: T) => ComponentChildren }): VNode {
  return html`
    ${of.problem !== undefined && html`<${ProblemBox} problem=${of.problem} again=${of.again} />`}
    ${of.data !== undefined ? children(of.data) : of.problem === undefined && html`<${Skeleton} lines=${lines} />`}`
}
