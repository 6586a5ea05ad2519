import t from 'tap'
import { checkFaults } from './faults.ts'
import type { Case } from './faults.ts'

const groups: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  'that take all of their thread': {
    'leaks-buffers': { step: 'input', config: '{ how: buffers, at: read }', says: /^input\.bad: Buffers of \d+ MiB are over the limit of 64 MiB/ },
    'leaks-objects': { step: 'output', config: '{ how: leak, at: write }', says: /^(?:input\.generate or )?outputs\.bad: .* filled the heap; limits\.heap_megabytes/, more: 'limits: { heap_megabytes: 64 }\n' },
    'map-spins': { step: 'transform', config: '{ how: spin }', says: /^transforms\.bad: transforms\.bad has kept the thread busy for \d+ s without a pause/ }
  },
  'that take all of the machine': {
    'fills-its-heap': { step: 'output', config: '{ how: heap, at: write }', says: /^outputs\.bad: outputs\.bad has kept the thread busy while the process grew by \d+ MiB/ }
  }
}

for (const [name, cases] of Object.entries(groups)) {
  await t.test(`plugins ${name} are named and tried again, and a neighbour loses nothing`, t => checkFaults(t, cases))
}
