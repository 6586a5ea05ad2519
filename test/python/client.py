"""What test/python/client.test.ts has the client do; prints what it found as JSON lines."""

import json
import sys
import warnings

sys.path.insert(0, sys.argv[1])
import twolane  # noqa: E402


def say(name, value):
    print(json.dumps([name, value], default=str), flush=True)


frame = twolane.get("ticks", "AAPL", start="2026-01-02", end="2026-01-03")
say("get", {"rows": len(frame), "index": frame.index.name, "tz": str(frame.index.tz), "symbols": sorted(set(frame["symbol"])), "columns": list(frame.columns)})
say("arrow", twolane.get("ticks", to="arrow").num_rows)
polars = twolane.get("ticks", where=["price", ">", 110], fields=["time", "price"], to="polars")
say("polars", [polars.height, polars.columns])

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    twolane.get("ticks", "NONE")
    say("warning", [[one.category.__name__, str(one.message)] for one in caught])

try:
    twolane.get("nothing")
except twolane.TwolaneError as error:
    say("error", [error.code, error.status, bool(error.remedy)])

frame = twolane.bars("ticks", ["AAPL"], every="1d", start="2026-01-01", end="2026-02-01", price="price")
say("bars", [len(frame), str(frame.index.tz)])
say("latest", len(twolane.latest("ticks")))
say("asof", len(twolane.asof("ticks", "ticks", "AAPL", start="2026-01-02", end="2026-01-03")))
say("datasets", [one["dataset"] for one in twolane.datasets()])
say("estimate", twolane.estimate("ticks", start="2026-01-02")["rows"])
say("status", twolane.status()["state"])
files = twolane.export("ticks", sys.argv[2], "AAPL", start="2026-01-01", end="2026-01-05", split="day")
say("export", [[file.name, file.read_bytes()[:4].decode()] for file in files])
twolane._arrow = lambda required: None
frame = twolane.get("ticks", "AAPL", start="2026-01-02", end="2026-01-03")
say("without pyarrow", {"rows": len(frame), "index": frame.index.name, "tz": str(frame.index.tz)})

rows = []
for row in twolane.live("ticks", ["AAPL"], start="2026-01-02"):
    rows.append(int(row["size"]))
    if len(rows) == 10:
        break
say("live", rows)
