// Refuses rows in which a field is empty. Replace the condition; rows may be changed or taken out, not added.

import { cell, defineTransform } from '../../../plugin.ts'

export default defineTransform({
  description: 'Refuses rows in which a field is empty',
  options: {
    field: { type: 'string', description: 'The field that must hold something.', examples: ['price'] }
  },
  shorthand: 'field',

  open ({ field }, context) {
    return {
      map (batch) {
        const column = batch.columns[field]
        const kept: number[] = []
        for (let i = 0; i < batch.length; i++) {
          if (column !== undefined && cell(column, i) !== null) kept.push(i)
          else context.reject(i, `${field} is empty`)
        }
        return batch.select(Int32Array.from(kept))
      }
    }
  }
})
