import type { Instrument } from './instruments.ts'
import type { Call, Routes } from './routes.ts'

const validExchanges = 'SMART,AMEX,NYSE,CBOE,PHLX,ISE,CHX,ARCA,ISLAND,DRCTEDGE,BEX,BATS,EDGEA,BYX,IEX,PSX'

/** Contract look-up. Only stocks are known; anything else is answered as if it did not exist. */
export const contractRoutes: Routes = {
  'GET trsrv/stocks': ({ gateway, query }) => {
    const symbols = (query.get('symbols') ?? '').split(',').filter(Boolean)
    const all = [...gateway.instruments.values()]
    return { body: Object.fromEntries(symbols.map(symbol => [symbol, all.filter(instrument => instrument.symbol === symbol).flatMap(companies)])) }
  },
  'GET trsrv/secdef': ({ gateway, query }) => {
    const conids = (query.get('conids') ?? '').split(',').map(Number)
    return { body: { secdef: conids.flatMap(conid => gateway.instruments.get(conid) ?? []).map(definition) } }
  },
  'GET trsrv/futures': ({ query }) => ({ body: Object.fromEntries((query.get('symbols') ?? '').split(',').filter(Boolean).map(symbol => [symbol, []])) }),
  'GET iserver/secdef/search': call => search(call, call.query.get('symbol')),
  'POST iserver/secdef/search': call => search(call, call.body['symbol']),
  'GET iserver/secdef/info': ({ gateway, query }) => {
    const instrument = gateway.instruments.get(Number(query.get('conid')))
    if (instrument === undefined || query.get('sectype')?.toUpperCase() !== 'STK') return { status: 500, body: { error: 'no contracts retrieved', statusCode: 500 } }
    return { body: [{ ...contract(instrument), listingExchange: instrument.exchange, exchange: 'SMART', desc1: instrument.symbol, desc2: null, validExchanges }] }
  },
  'GET iserver/contract/*/info': ({ gateway, path }) => {
    const instrument = gateway.instruments.get(Number(path.split('/')[2]))
    if (instrument === undefined) return { status: 500, body: { error: 'Contract not found', statusCode: 500 } }
    const { conid, symbol, name } = instrument
    return { body: { cfi_code: '', con_id: conid, company_name: name, local_symbol: symbol, symbol, currency: 'USD', exchange: 'SMART', valid_exchanges: validExchanges, instrument_type: 'STK', trading_class: 'NMS', text: null } }
  }
}

/** The same ticker is listed abroad too, and derived products carry it in their name: choosing is the client's task. */
function companies ({ symbol, name, conid, exchange }: Instrument): object[] {
  const abroad = symbol === 'AAPL' ? [{ conid: 38708077, exchange: 'MEXI', isUS: false }] : []
  return [
    { name, chineseName: null, assetClass: 'STK', contracts: [{ conid, exchange, isUS: true }, ...abroad] },
    { name: `LS 1X ${symbol}`, chineseName: null, assetClass: 'STK', contracts: [{ conid: 493546048 + conid % 1000, exchange: 'LSEETF', isUS: false }] }
  ]
}

function search ({ gateway }: Call, symbol: unknown): { status?: number, body: unknown } {
  if (typeof symbol !== 'string' || symbol === '') return { status: 400, body: { error: 'Bad Request: symbol required', statusCode: 400 } }
  const found = [...gateway.instruments.values()].filter(instrument => instrument.symbol === symbol.toUpperCase())
  if (found.length === 0) return { body: { error: 'No symbol found' } } // an error inside 200, as the real one
  return {
    body: found.map(instrument => ({
      conid: String(instrument.conid),
      companyHeader: `${instrument.name} - ${instrument.exchange}`,
      companyName: instrument.name,
      symbol: instrument.symbol,
      description: instrument.exchange,
      restricted: null,
      sections: [{ secType: 'STK' }]
    }))
  }
}

function definition (instrument: Instrument): object {
  return { ...contract(instrument), name: instrument.name, assetClass: 'STK', ticker: instrument.symbol, listingExchange: instrument.exchange, allExchanges: validExchanges, isUS: true, type: 'COMMON', hasOptions: false }
}

function contract ({ conid, symbol }: Instrument): object {
  return { conid, symbol, secType: 'STK', currency: 'USD', tradingClass: 'NMS' }
}
