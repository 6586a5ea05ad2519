// The parameters of each kind of question, as JSON Schema.

import { directions } from '../data/asof.ts'
import { EVERY_PATTERN, fills } from '../data/bars.ts'
import { DURATION_PATTERN } from '../duration.ts'
import { commonProperties, datasetParameter, list } from './data-form.ts'
import type { KindName } from '../data/kinds.ts'

interface Properties {
  readonly properties: Readonly<Record<string, object>>
  readonly required: readonly string[]
}

const { fields, ...withoutFields } = commonProperties
const column = { type: 'string', minLength: 1, maxLength: 64 }

export const kindProperties: Readonly<Record<KindName, Properties>> = {
  data: { properties: commonProperties, required: [] },
  bars: {
    properties: {
      ...withoutFields,
      every: { type: 'string', pattern: EVERY_PATTERN, description: 'Length of a bar: 1s, 5m, 1h, 1d, 1w, 1mo', examples: ['5m'] },
      price: { ...column, description: 'The column of prices; found by its name unless given' },
      size: { ...column, description: 'The column of sizes; found by its name unless given' },
      fill: { type: 'string', enum: [...fills], description: 'Of intervals without anything: no bar (none), nulls (null), the close before (prev), or zeros (zero)' },
      tz: { type: 'string', maxLength: 64, description: 'Time zone in which days, weeks and months begin; UTC unless given', examples: ['America/New_York'] },
      label: { type: 'string', enum: ['left', 'right'], description: 'Whether time is the begin of the interval or its end' }
    },
    required: ['every']
  },
  latest: { properties: commonProperties, required: [] },
  join: {
    properties: {
      ...withoutFields,
      fields,
      left: { ...datasetParameter, description: 'The dataset whose rows all come' },
      right: { ...datasetParameter, description: 'The dataset of which each gets one row' },
      take: list('Columns of the right dataset; all unless given. One whose name the left one has, too, comes as right_<name>'),
      tolerance: { type: 'string', pattern: DURATION_PATTERN, description: 'How old the other row may be; 1d unless given', examples: ['1s'] },
      direction: { type: 'string', enum: [...directions], description: 'The last row until then, or the first one from then on' }
    },
    required: ['left', 'right']
  }
}
