// Icons as paths of 16 by 16, drawn with the colour of the text. They are decoration: what they mean stands beside them,
// or in the name of the button.

import { html } from '../kit/html.ts'
import type { VNode } from '../kit/html.ts'

const paths = {
  home: 'M2.5 7 8 2.5 13.5 7v6.5h-4v-4h-3v4h-4z',
  pipelines: 'M1.5 5h4m5 0h4M1.5 11h4m5 0h4M5.5 3h5v4h-5zM5.5 9h5v4h-5z',
  jobs: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm0 3v3.2l2.2 1.3',
  data: 'M2.5 4c0-1 2.5-1.8 5.500-1.800S13.500 3 13.500 4 11 5.800 8 5.800 2.500 5 2.500 4zm0 0v8c0 1 2.500 1.800 5.500 1.800s5.500-.8 5.500-1.800V4m-11 4c0 1 2.500 1.800 5.500 1.800S13.500 9 13.500 8',
  explore: 'M2 13.500h12M3.500 11V8m3 3V4m3 7V6.500m3 4.500V2.500',
  quality: 'M8 1.800 13.500 4v4c0 3.200-2.300 5.200-5.500 6.200C4.800 13.200 2.500 11.200 2.500 8V4zM5.500 8l1.800 1.800 3.200-3.400',
  access: 'M8 8.200a2.800 2.800 0 1 0 0-5.600 2.800 2.800 0 0 0 0 5.600zM2.500 13.800c.5-2.600 2.600-4 5.500-4s5 1.400 5.500 4',
  costs: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm1.900 3.700C9.500 5 8.800 4.700 8 4.700c-1.200 0-2 .7-2 1.600 0 2.300 4 1.100 4 3.400 0 1-.8 1.700-2 1.700-.9 0-1.700-.4-2-1.100M8 3.700v8.600',
  setup: 'M2 4.500h5m4 0h3M2 11.500h2m4 0h6M9 2.800v3.400M6 9.800v3.400',
  status: 'M1.500 8.500h3l2-5 3 9 2-4h3',
  docs: 'M3.500 2h6l3 3v9h-9zM9 2v3.500h3.500M5.500 8.500h5m-5 2.500h5',
  logs: 'M2.500 3.500h11m-11 3h8m-8 3h11m-11 3h6',
  search: 'M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zm3.300 7.800 3.200 3.200',
  menu: 'M2.500 4.500h11m-11 3.500h11m-11 3.500h11',
  close: 'm4 4 8 8m0-8-8 8',
  check: 'm3 8.500 3.300 3.300L13 5',
  chevron: 'm6 3.500 4.500 4.500L6 12.500',
  down: 'm3.500 6 4.500 4.500L12.500 6',
  up: 'm3.500 10 4.500-4.500L12.500 10',
  copy: 'M5.500 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3',
  play: 'M5 3v10l8-5z',
  pause: 'M5 3.500v9m6-9v9',
  again: 'M13 8a5 5 0 1 1-1.500-3.600M13 2.500v3h-3',
  stop: 'M4 4h8v8H4z',
  lock: 'M4 7.500h8v6H4zM5.500 7.500V5a2.500 2.500 0 0 1 5 0v2.500',
  out: 'M6.500 2.500h-4v11h4M6 8h7.500m-3-3 3 3-3 3',
  sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1m8 8 1 1M3 13l1-1m8-8 1-1',
  moon: 'M13 9.500A5.500 5.500 0 0 1 6.500 3 5.500 5.500 0 1 0 13 9.500z',
  auto: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm0 0v12',
  ok: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM5.300 8.200l1.900 1.900 3.500-3.800',
  warn: 'M8 2.200 14.500 13.500h-13zM8 6.500v3.300m0 1.500v.6',
  bad: 'M5.400 1.800h5.200l3.600 3.600v5.200l-3.600 3.600H5.400l-3.600-3.600V5.400zM5.800 5.800l4.400 4.400m0-4.400-4.400 4.400',
  busy: 'M8 2a6 6 0 1 1-6 6M8 5v3.200l2 1.200',
  idle: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM5.500 8h5',
  off: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM6.500 6v4m3-4v4',
  unknown: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM6.300 6.500c0-1 .8-1.600 1.700-1.600s1.700.6 1.700 1.500c0 1.200-1.700 1.300-1.700 2.500m0 1.500v.5',
  plus: 'M8 3v10M3 8h10',
  trash: 'M3 4.500h10M6.500 4.500v-2h3v2M4.500 4.500l.5 9h6l.5-9',
  link: 'M9 3h4v4m0-4L7.500 8.500M11 9.500V13H3V5h3.500'
} as const

export type IconName = keyof typeof paths

export function Icon ({ name, size = 16 }: { readonly name: IconName, readonly size?: number }): VNode {
  return html`<svg class="icon" viewBox="0 0 16 16" width=${size} height=${size} aria-hidden="true" focusable="false"><path d=${paths[name]} /></svg>`
}
