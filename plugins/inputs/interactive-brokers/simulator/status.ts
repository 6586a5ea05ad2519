import type { Gateway } from './gateway.ts'

const serverInfo = { serverName: 'JifN19053', serverVersion: 'Build 10.45.1a, Apr 20, 2026 1:55:32 PM' }

/** The `args` of an `sts` frame. */
export function statusOf ({ session }: Gateway): object {
  const { status } = session
  return { ...status, message: '', fail: '', ...serverInfo, username: session.user }
}

/** What auth/status and ssodh/init answer; a gateway without login knows less. */
export function authStatusOf ({ session }: Gateway): object {
  const { authenticated, connected, competing, established } = session.status
  const mac = '98:F2:B3:23:AE:D0'
  if (!connected) return { authenticated: false, competing: false, connected: false, MAC: mac }
  return { authenticated, established, competing, connected, message: '', MAC: mac, serverInfo, hardware_info: `5c5b61b0|${mac}`, fail: '' }
}

/** What /iserver/accounts answers, and the `args` of an `act` frame. */
export function accountsOf ({ session: { account, id } }: Gateway): object {
  return {
    accounts: [account],
    acctProps: { [account]: { hasChildAccounts: false, supportsCashQty: true, supportsFractions: true } },
    aliases: { [account]: account },
    allowFeatures: { showGFIS: true, allowFXConv: true, allowCrypto: false, snapshotRefreshTimeout: 30, liteUser: false },
    chartPeriods: { STK: ['*'], CASH: ['*'], IND: ['*'] },
    groups: [],
    profiles: [],
    selectedAccount: account,
    serverInfo,
    sessionId: `${id.slice(0, 7)}.00000001`,
    isFT: false,
    isPaper: true
  }
}

/** What tickle answers; `hmds` without a bridge is normal. */
export function tickleOf (gateway: Gateway): object {
  return {
    session: gateway.session.id,
    ssoExpires: 460_311,
    collission: false,
    userId: 123_456_789,
    hmds: { error: 'no bridge' },
    iserver: { authStatus: authStatusOf(gateway) }
  }
}
