import { MAP_WIDTH, NODE_HEIGHT, NODE_WIDTH, columnAt, columns } from './plan.ts'
import { Icon } from '../../parts/icon.ts'
import { classes, html, useState } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import type { Lane, MapEdge, MapNode } from './plan.ts'
import type { VNode } from '../../kit/html.ts'

const HEAD = 26
const LANE_HEAD = 30
const LANE_GAP = 22
const ZOOM_MIN = 0.5
const ZOOM_MAX = 1.6
const ZOOM_STEP = 0.1
/** Letters that fit into a node. */
const TITLE_CHARS_MAX = 19
const NOTE_CHARS_MAX = 27

/** The lanes below each other. Nodes are links; the map is scrolled by the arrow keys and sized by + and -. */
export function PipelineMap ({ lanes }: { readonly lanes: readonly Lane[] }): VNode {
  const [zoom, setZoom] = useState(1)
  const size = (step: number): void => setZoom(Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, Math.round((zoom + step) * 10) / 10)))
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === '+' || event.key === '=') size(ZOOM_STEP)
    else if (event.key === '-') size(-ZOOM_STEP)
    else return
    event.preventDefault()
  }
  let y = HEAD
  const placed = lanes.map(lane => {
    const top = y
    y += LANE_HEAD + lane.height + LANE_GAP
    return { lane, top }
  })
  const height = y - LANE_GAP + 4
  return html`<section class="section map-section" aria-label="Map of the pipelines">
    <header><h2>Map</h2><span class="faint small">rows a second over the last ten seconds</span>
      <div class="buttons end"><button type="button" class="icon-only" aria-label="Smaller" onClick=${() => size(-ZOOM_STEP)}>−</button><span class="faint small">${Math.round(zoom * 100)}%</span><button type="button" class="icon-only" aria-label="Larger" onClick=${() => size(ZOOM_STEP)}><${Icon} name="plus" size=${12} /></button></div>
    </header>
    <div class="map" role="region" aria-label="Map; scrolls with the arrow keys, + and - size it" tabindex="0" onKeyDown=${onKeyDown}>
      <svg viewBox=${`-2 0 ${MAP_WIDTH + 4} ${height}`} style=${{ width: `${zoom * 100}%`, minWidth: `${zoom * 860}px` }} role="group" aria-label="Pipelines from source to dataset">
        ${columns.map((name, i) => html`<text class="map-column" x=${columnAt(i)} y="14">${name}</text>`)}
        ${placed.map(({ lane, top }) => html`<g>
          <text class="map-lane" x="0" y=${top + 16}>${lane.title}</text>
          <line class="map-rule" x1="110" x2=${MAP_WIDTH} y1=${top + 12} y2=${top + 12} />
          <g transform=${`translate(0 ${top + LANE_HEAD})`}>
            ${lane.edges.map(edge => html`<${Edge} edge=${edge} />`)}
            ${lane.nodes.map(node => html`<${Node} key=${node.id} node=${node} />`)}
          </g>
        </g>`)}
      </svg>
    </div>
  </section>`
}

function Node ({ node: { kind, title, note, level, state, path, query, x, y } }: { readonly node: MapNode }): VNode {
  return html`<a href=${href(path, query)} class=${classes('map-node', kind, level)} aria-label=${`${kind} ${title}: ${state.replaceAll('_', ' ')}, ${note}`}>
    <title>${`${title}: ${state.replaceAll('_', ' ')}`}</title>
    <rect x=${x} y=${y} width=${NODE_WIDTH} height=${NODE_HEIGHT} rx=${kind === 'topic' ? NODE_HEIGHT / 2 : 7} />
    <${Shape} level=${level} x=${x + 14} y=${y + 15} />
    <text class="map-title" x=${x + 28} y=${y + 19}>${short(title, TITLE_CHARS_MAX)}</text>
    <text class="map-note" x=${x + 28} y=${y + 35}>${short(note, NOTE_CHARS_MAX)}</text>
  </a>`
}

/** The level as a shape: a full circle is well, a triangle warns, a square is broken, a ring rests. */
function Shape ({ level, x, y }: { readonly level: string, readonly x: number, readonly y: number }): VNode {
  if (level === 'bad') return html`<rect class="map-shape" x=${x - 4.5} y=${y - 4.5} width="9" height="9" rx="1.5" />`
  if (level === 'warn') return html`<path class="map-shape" d=${`M${x} ${y - 5} L${x + 5.5} ${y + 4.5} H${x - 5.5} Z`} />`
  return html`<circle class=${classes('map-shape', level !== 'ok' && 'ring')} cx=${x} cy=${y} r="4" />`
}

function Edge ({ edge: { from, to, rate } }: { readonly edge: MapEdge }): VNode {
  const [x1, y1, x2, y2] = [from.x + NODE_WIDTH, from.y + NODE_HEIGHT / 2, to.x, to.y + NODE_HEIGHT / 2]
  const bend = Math.min(36, (x2 - x1) / 2)
  // From the topic to a destination there may be no processor between: the line then runs straight through that column.
  const d = `M${x1} ${y1} C${x2 - 2 * bend} ${y1} ${x2 - bend - 8} ${y2} ${x2} ${y2}`
  const width = rate === 0 ? 1.5 : Math.min(6, 1.5 + Math.log10(1 + rate) * 0.9)
  return html`<path class=${classes('map-edge', rate > 0 && 'moving')} d=${d} style=${{ strokeWidth: width }} />`
}

function short (text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`
}
