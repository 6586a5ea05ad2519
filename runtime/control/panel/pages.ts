// All pages of the panel: where they are, who may open them, and how their code is loaded. Each one is a chunk of its own.

import type { VNode } from './kit/html.ts'
import type { IconName } from './parts/icon.ts'
import type { Route } from './kit/route.ts'

/** A page draws what the address names: `path` without the name of the page. */
export type PageComponent = (props: { readonly path: readonly string[], readonly query: Route['query'] }) => VNode

export interface PageEntry {
  readonly id: string
  readonly title: string
  readonly icon: IconName
  /** Without it the page is shown as locked, with the name of the scope. */
  readonly scope?: string
  /** Pressed after g. */
  readonly key: string
  readonly load: () => Promise<{ readonly default: PageComponent }>
}

/** In the order of the navigation. */
export const pages: readonly PageEntry[] = [
  { id: 'home', title: 'Home', icon: 'home', scope: 'platform:read', key: 'h', load: () => import('./pages/home.ts') },
  { id: 'pipelines', title: 'Pipelines', icon: 'pipelines', scope: 'platform:read', key: 'p', load: () => import('./pages/pipelines.ts') },
  { id: 'jobs', title: 'Jobs', icon: 'jobs', scope: 'platform:read', key: 'j', load: () => import('./pages/jobs.ts') },
  { id: 'data', title: 'Data', icon: 'data', scope: 'data:read', key: 'd', load: () => import('./pages/data.ts') },
  { id: 'explore', title: 'Explore', icon: 'explore', scope: 'data:read', key: 'e', load: () => import('./pages/explore.ts') },
  { id: 'quality', title: 'Quality', icon: 'quality', scope: 'platform:read', key: 'q', load: () => import('./pages/quality.ts') },
  { id: 'access', title: 'Access', icon: 'access', key: 'a', load: () => import('./pages/access.ts') },
  { id: 'costs', title: 'Costs', icon: 'costs', scope: 'platform:read', key: 'c', load: () => import('./pages/costs.ts') },
  { id: 'setup', title: 'Setup', icon: 'setup', scope: 'platform:read', key: 's', load: () => import('./pages/setup.ts') },
  { id: 'logs', title: 'Logs', icon: 'logs', scope: 'platform:read', key: 'l', load: () => import('./pages/logs.ts') },
  { id: 'docs', title: 'Docs', icon: 'docs', key: 'o', load: () => import('./pages/docs.ts') }
]
