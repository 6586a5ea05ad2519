import { OptionsForm, ConnectionTest } from './plugins.ts'
import { checkValues } from '../../parts/form.ts'
import { html } from '../../kit/html.ts'
import type { Plugin } from './shapes.ts'
import type { Values } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

export interface Destination {
  readonly plugin: string
  readonly options: Values
  /** What is wrong with its options. */
  readonly problem?: string
}

/** Any number of destinations, each with its options. */
export function DestinationChoice ({ plugins, chosen, onChange }: { readonly plugins: readonly Plugin[], readonly chosen: readonly Destination[], readonly onChange: (chosen: readonly Destination[]) => void }): VNode {
  const made = (plugin: Plugin, options: Values): Destination => {
    const [name] = Object.keys(checkValues(plugin.schema, options))
    return { plugin: plugin.name, options, ...(name !== undefined && { problem: name }) }
  }
  return html`<fieldset class="destinations"><legend>Destinations</legend>${plugins.map(plugin => {
    const own = chosen.find(one => one.plugin === plugin.name)
    const toggle = (): void => onChange(own === undefined ? [...chosen, made(plugin, {})] : chosen.filter(one => one !== own))
    return html`<div class="destination" key=${plugin.name}>
      <label class="tick"><input type="checkbox" checked=${own !== undefined} disabled=${!plugin.allowed} onChange=${toggle} /><span><strong>${plugin.title}</strong> <span class="tag">${plugin.guarantee}</span> <span class="faint">${plugin.description}</span></span></label>
      ${own !== undefined && html`<details open=${own.problem !== undefined}><summary>Options of ${plugin.title}</summary>
        <${OptionsForm} schema=${plugin.schema} values=${own.options} errors=${own.problem === undefined ? {} : checkValues(plugin.schema, own.options)} onChange=${(options: Values) => onChange(chosen.map(one => one === own ? made(plugin, options) : one))} />
        ${own.problem === undefined && html`<${ConnectionTest} kind="output" plugin=${plugin.name} options=${own.options} />`}
      </details>`}
    </div>`
  })}</fieldset>`
}
