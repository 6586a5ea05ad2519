"""Runs ibind, an independent client of the Client Portal Web API, against the simulator.

This file cannot be called ibind.py: it would import itself. Called by ibind.test.ts with the REST address.
{"claim": "...", "ok": true, "seen": ...}
"""
import json
import logging
import sys
import time

import requests
from ibind import IbkrClient, IbkrWsClient, QueueSink, events, subscriptions
from ibind.support.errors import ExternalBrokerError

APPLE, MICROSOFT = 265598, 272093
WAIT_S = 30
logging.disable(logging.CRITICAL)


def claim(text, ok, seen=None):
    print(json.dumps({'claim': text, 'ok': bool(ok), 'seen': seen}, default=str), flush=True)


def until(condition, wait_s=WAIT_S):
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    return None


def silent(frames):
    count = len(frames())
    time.sleep(1)
    return len(frames()) == count


def control(url):
    return url.replace('/v1/api', '/simulator')


def fault(url, name, **args):
    requests.post(control(url) + '/faults', json={'name': name, 'args': args}, timeout=WAIT_S).raise_for_status()


def rest(client):
    claim('tickle reports a healthy gateway', client.check_health())
    claim('auth/status reports an authenticated session', client.check_auth_status())
    claim('sso/validate answers', client.validate().data['RESULT'])
    claim('ssodh/init answers', client.initialize_brokerage_session().data['authenticated'])

    try:
        client.live_marketdata_snapshot(str(APPLE), ['31'])
        claim('a snapshot before accounts is refused', False)
    except ExternalBrokerError as error:
        claim('a snapshot before accounts is refused', error.status_code == 500, error)

    accounts = client.receive_brokerage_accounts().data
    claim('accounts lists the account', accounts['selectedAccount'] in accounts['accounts'], accounts['accounts'])
    conids = client.stock_conid_by_symbol(['AAPL', 'MSFT']).data
    claim('stocks are found by symbol, one in the US each', conids == {'AAPL': APPLE, 'MSFT': MICROSOFT}, conids)
    found = client.search_contract_by_symbol('AAPL').data
    claim('secdef/search finds a contract', found[0]['conid'] == str(APPLE), found[0])
    definitions = client.security_definition_by_conid([str(APPLE)]).data['secdef']
    claim('secdef describes a contract', definitions[0]['currency'] == 'USD', definitions)

    first = client.live_marketdata_snapshot(str(APPLE), ['31', '84', '86']).data
    claim('the first snapshot is a pre-flight', '31' not in first[0], first)
    row = until(lambda: [r for r in client.live_marketdata_snapshot(str(APPLE), ['31', '84', '86']).data if '31' in r])
    claim('a later snapshot carries prices', row and float(row[0]['84']) < float(row[0]['86']), row)
    by_symbol = client.live_marketdata_snapshot_by_symbol(['AAPL'], ['31', '55'])
    claim('snapshots by symbol work', by_symbol['AAPL']['symbol'] == 'AAPL', by_symbol)

    bars = client.marketdata_history_by_symbol('AAPL', bar='1min', period='1h', outside_rth=True).data['data']
    claim('history answers an hour of minutes', 60 <= len(bars) <= 61 and all(b['l'] <= b['o'] <= b['h'] for b in bars), len(bars))
    many = client.marketdata_history_by_symbols(['AAPL', 'MSFT'], bar='1min', period='30min')
    claim('histories are answered in parallel', set(many) == {'AAPL', 'MSFT'} and all(many.values()), list(many))

    claim('unsubscribe ends a line', all(r.data['success'] for r in client.marketdata_unsubscribe([str(APPLE)]).values()))
    claim('unsubscribing what is not open is harmless', client.marketdata_unsubscribe([str(MICROSOFT)]) is not None)
    claim('unsubscribeall ends every line', client.marketdata_unsubscribe_all().data['unsubscribed'])


def websocket(url, client):
    sink = QueueSink()
    ws = IbkrWsClient(url=url.replace('http', 'ws') + '/ws', ibkr_client=client, cacert=False, sink=sink)
    received = []

    def frames(since=0):
        while (event := sink.get(events.MarketData)) is not None:
            received.append(event)
        return received[since:]

    try:
        claim('the websocket opens and authenticates', ws.start() and until(ws.is_ready))
        claim('tic is answered', ws.tic())
        handle = ws.subscribe(subscriptions.MarketDataSubscription(conid=str(APPLE), fields=['31', '84', '86', '6509'], expiry_seconds=1))
        claim('a subscription is confirmed', handle.wait(WAIT_S), handle.status)
        claim('a full frame is followed by changes', until(lambda: len(frames()) >= 5), [e.data for e in frames()[:2]])

        # The simulator was started with a life of 3 seconds for each stream.
        end = time.monotonic() + 4
        until(lambda: time.monotonic() > end)
        count = len(frames())
        claim('a renewed subscription outlives its time', until(lambda: len(frames()) > count), count)

        history = ws.subscribe(subscriptions.MarketHistorySubscription(conid=str(APPLE), period='1h', bar='5min', outside_rth=True, source='trades'))
        claim('history comes over the websocket', history.wait(WAIT_S) and until(lambda: sink.get(events.MarketHistory)))

        fault(url, 'drop-tcp')
        claim('the cut of the socket is noticed', until(lambda: not ws.is_ready()))
        claim('the client reconnects', until(ws.is_ready))
        count = len(frames())
        claim('data flows again after the reconnect', until(lambda: len(frames()) > count + 2), len(frames()) - count)

        fault(url, 'unauthenticated')
        claim('a lost session is noticed', until(lambda: not ws.is_authenticated()))
        client.initialize_brokerage_session()
        claim('the restored session is noticed', until(ws.is_authenticated))
        count = len(frames())
        claim('data flows again in the restored session', until(lambda: len(frames()) > count + 2))

        handle.unsubscribe().wait(WAIT_S)
        claim('nothing comes after unsubscribe', until(lambda: silent(frames)))
    finally:
        ws.shutdown()
    claim('the websocket closes', until(lambda: requests.get(control(url), timeout=WAIT_S).json()['stats']['sockets'] == 0))


def main():
    url = sys.argv[1]
    client = IbkrClient(url=url + '/', cacert=False)
    rest(client)
    websocket(url, client)
    client.close()


main()
