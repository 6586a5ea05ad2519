// Keeps a fault of one page to that page: the rest goes on, and what happened is said instead of nothing being drawn.

import { ProblemBox } from './problem.ts'
import { problemOf } from '../kit/api.ts'
import { Component, html } from '../kit/html.ts'
import type { ComponentChildren } from '../kit/html.ts'

interface Props {
  /** Another place begins anew. */
  readonly place: string
  readonly children?: ComponentChildren
}
interface State { readonly error?: unknown }

export class Fence extends Component<Props, State> {
  override state: State = {}

  override componentDidCatch (error: unknown): void {
    this.setState({ error })
    console.error(error)
  }

  override componentDidUpdate ({ place }: Props): void {
    if (place !== this.props.place && this.state.error !== undefined) this.setState({ error: undefined })
  }

  override render ({ children }: Props, { error }: State): ComponentChildren {
    return error === undefined ? children : html`<${ProblemBox} problem=${problemOf(error)} again=${() => location.reload()} />`
  }
}
