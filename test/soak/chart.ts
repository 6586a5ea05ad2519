// A series as a picture of text.

const WIDTH = 72
const HEIGHT = 8

/** The values from left to right, each column the median of those that fall into it; the axis begins at 0. */
export function chart (values: readonly number[]): string {
  const columns = Array.from({ length: Math.min(WIDTH, values.length) }, (_, i, all = Math.min(WIDTH, values.length)) => {
    const part = values.slice(Math.floor(i * values.length / all), Math.floor((i + 1) * values.length / all)).toSorted((a, b) => a - b)
    return part[part.length >> 1] ?? 0
  })
  const top = Math.max(...columns, 1)
  const lines = Array.from({ length: HEIGHT }, (_, line) => {
    const floor = HEIGHT - 1 - line
    const marks = columns.map(value => ' ▁▂▃▄▅▆▇█'[Math.max(0, Math.min(8, Math.round((value / top * HEIGHT - floor) * 8)))]).join('')
    return `${line === 0 ? top.toFixed(0).padStart(7) : floor === 0 ? '      0' : '       '} │${marks}`
  })
  return lines.join('\n')
}
