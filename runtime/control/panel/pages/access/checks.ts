import { html } from '../../kit/html.ts'
import type { ComponentChildren, VNode } from '../../kit/html.ts'

/** Some of a list of names. Those that are chosen and not in the list are shown, too. */
export function Checks ({ label, names, chosen, onChange, describe, disabled = false, empty = 'There are none.' }: {
  readonly label: string
  readonly names: readonly string[]
  readonly chosen: readonly string[]
  readonly onChange: (chosen: readonly string[]) => void
  /** Beside the name. */
  readonly describe?: (name: string) => ComponentChildren
  readonly disabled?: boolean
  readonly empty?: string
}): VNode {
  const all = [...names, ...chosen.filter(name => !names.includes(name))]
  const toggle = (name: string): void => onChange(chosen.includes(name) ? chosen.filter(one => one !== name) : [...chosen, name])
  return html`<fieldset class="check-list"><legend>${label}</legend>
    ${all.length === 0 && html`<p class="faint small">${empty}</p>`}
    <div class=${describe === undefined ? 'ticks' : 'ticks described'}>${all.map(name => html`<label class="tick" key=${name}><input type="checkbox" checked=${chosen.includes(name)} disabled=${disabled} onChange=${() => toggle(name)} /><span>${name}${describe !== undefined && html` <span class="faint small">${describe(name)}</span>`}</span></label>`)}</div>
  </fieldset>`
}
