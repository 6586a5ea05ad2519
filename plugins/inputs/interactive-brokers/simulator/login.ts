import type { Routes } from './routes.ts'
import { accountsOf, authStatusOf, tickleOf } from './status.ts'

/** Login, brokerage session, accounts. */
export const sessionRoutes: Routes = {
  'POST tickle': ({ gateway }) => ({
    body: tickleOf(gateway),
    headers: { 'set-cookie': `x-sess-uuid=${gateway.session.cookie}; HttpOnly; Secure; Path=/v1/api` }
  }),
  'GET iserver/auth/status': ({ gateway }) => ({ body: authStatusOf(gateway) }),
  'POST iserver/auth/status': ({ gateway }) => ({ body: authStatusOf(gateway) }),
  'POST iserver/auth/ssodh/init': ({ gateway, body }) => {
    if (body['publish'] !== true) return { status: 500, body: { error: 'failed to generate sso dh token', statusCode: 500 } }
    gateway.session.open(body['compete'] === true)
    return { body: authStatusOf(gateway) }
  },
  'POST iserver/reauthenticate': ({ gateway }) => {
    gateway.session.open(false)
    return { body: { message: 'triggered' } }
  },
  'GET sso/validate': ({ gateway }) => ({
    body: {
      USER_ID: 123_456_789,
      USER_NAME: gateway.session.user,
      RESULT: true,
      AUTH_TIME: Date.now() - 60_000,
      SF_ENABLED: false,
      IS_FREE_TRIAL: false,
      CREDENTIAL: gateway.session.user,
      EXPIRES: 415_890,
      IS_PENDING_APPLICANT: false,
      LOGIN_TYPE: 2,
      PAPER_USER_NAME: gateway.session.user,
      region: 'NJ',
      features: { env: 'PAPER', wlms: true, realtime: true, bond: true, optionChains: true, calendar: true, newMf: true }
    }
  }),
  'POST logout': ({ gateway }) => {
    gateway.session.logOut()
    return { body: { status: true } }
  },
  'GET iserver/accounts': ({ gateway }) => {
    gateway.session.queryAccounts()
    return { body: accountsOf(gateway) }
  }
}
