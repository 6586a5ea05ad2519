// The kinds of questions about rows, by the name that addresses and saved queries have for them.

import { asofQuestion } from './asof.ts'
import type { AsofParams } from './asof.ts'
import type { Asker, Wish } from './answer.ts'
import { barsQuestion } from './bars.ts'
import type { BarParams } from './bars.ts'
import { findDataset } from './catalog.ts'
import { dataQuestion } from './compile.ts'
import { latestQuestion } from './latest.ts'
import { pinOf } from './pin.ts'
import { parseSpec } from './spec.ts'
import type { Params } from './spec.ts'
import type { Platform } from '../platform.ts'

export const kindNames = ['data', 'bars', 'latest', 'join'] as const
export type KindName = typeof kindNames[number]

/**
 * The part of a wish (answer.ts) that a kind decides. `dataset` is what it is about, of a join the left one; the
 * parameters are those of the kind, checked for their form by its schema.
 */
export type Kind = (platform: Platform, asker: Asker, dataset: string, params: Params) => Pick<Wish<Params>, 'about' | 'make' | 'principal' | 'signal'>

export const kinds: Readonly<Record<KindName, Kind>> = {
  data: (platform, asker, dataset) => ({
    ...asker,
    about: { kind: 'data', dataset, grant: asker.principal.grant(dataset) },
    async make (params) {
      const readable = await findDataset(platform, asker.principal, dataset, asker.signal)
      return dataQuestion(readable, parseSpec(readable, params))
    }
  }),
  bars: (platform, asker, dataset) => ({
    ...asker,
    about: { kind: 'bars', dataset, grant: asker.principal.grant(dataset) },
    async make (params) {
      const readable = await findDataset(platform, asker.principal, dataset, asker.signal)
      return barsQuestion(readable, parseSpec(readable, params), params as BarParams)
    }
  }),
  latest: (platform, asker, dataset) => ({
    ...asker,
    about: { kind: 'latest', dataset, grant: asker.principal.grant(dataset) },
    async make (params, seq) {
      const readable = await findDataset(platform, asker.principal, dataset, asker.signal)
      const spec = parseSpec(readable, params)
      return latestQuestion(platform, readable, spec, { pin: await pinOf(platform, dataset, { range: spec.range, seq, signal: asker.signal }), ...asker })
    }
  }),
  join: (platform, asker, dataset, given) => {
    const { right } = given as AsofParams
    return {
      ...asker,
      about: { kind: 'join', dataset, right, grants: [asker.principal.grant(dataset), asker.principal.grant(right)] },
      async make (params) {
        const [one, other] = await Promise.all([dataset, right].map(name => findDataset(platform, asker.principal, name, asker.signal)))
        if (one === undefined || other === undefined) throw new Error('two datasets were asked for')
        return asofQuestion(platform, { left: one, right: other, spec: parseSpec(one, params), params: params as AsofParams, ...asker })
      }
    }
  }
}
