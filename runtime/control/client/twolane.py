"""Twolane's data in Python: one file, the standard library and pandas.

    export TWOLANE_URL=http://127.0.0.1:8080 TWOLANE_TOKEN=tl_...

    >>> import twolane
    >>> twolane.get("quotes", "AAPL", start="2026-01-02", end="2026-01-03")
    >>> twolane.bars("quotes", ["AAPL", "MSFT"], every="5m", last="7d", to="polars")

Times are UTC: the index of a frame has a time zone, `start` is inclusive, `end` exclusive. `to` is "pandas", "polars" or
"arrow". With pyarrow installed rows travel as Arrow; without it as CSV. A request that is told to wait (429, 503) is
sent again, a few times. What the platform warns of becomes a Python warning.
"""

from __future__ import annotations

import datetime as _datetime
import hashlib as _hashlib
import io as _io
import json as _json
import os as _os
import random as _random
import time as _time
import urllib.error as _errors
import urllib.parse as _parse
import urllib.request as _request
import warnings as _warnings
from pathlib import Path as _Path
from typing import Any, Iterable, Iterator, Mapping, Sequence, Union

__all__ = ["TwolaneError", "TwolaneWarning", "get", "bars", "latest", "asof", "live", "datasets", "estimate", "status", "export"]

Moment = Union[str, int, _datetime.datetime, _datetime.date]
Symbols = Union[str, Sequence[str], None]

_TRIES_MAX = 6
_WAIT_SECONDS_MAX = 30.0
_TIMEOUT_SECONDS = 300.0
#: A live stream says something every 5 s.
_SILENCE_SECONDS_MAX = 30.0


class TwolaneError(Exception):
    """What the platform refuses: `code` is for programs, `remedy` says what to do.

    >>> try: twolane.get("nothing")
    ... except twolane.TwolaneError as error: print(error.code)
    NOT_FOUND
    """

    def __init__(self, code: str, detail: str, remedy: str = "", status: int = 0) -> None:
        super().__init__(f"{detail.rstrip('.')}. {remedy}".strip() + f" [{code}]")
        self.code, self.detail, self.remedy, self.status = code, detail, remedy, status


class TwolaneWarning(UserWarning):
    """What the platform says of an answer that is not wrong: days that are missing, symbols that there are none of.

    >>> warnings.simplefilter("error", twolane.TwolaneWarning)
    """


def get(dataset: str, symbols: Symbols = None, start: Moment | None = None, end: Moment | None = None, *, last: str | None = None,
        fields: Sequence[str] | None = None, where: Any = None, limit: int | None = None, sort: str | None = None,
        on_time: str | None = None, to: str = "pandas", **more: Any) -> Any:
    """Rows of a dataset, in the order of their time; with `as_of`, those that were known at that moment.

    >>> twolane.get("trades", "AAPL", last="1d", where=["price", ">", 100], fields=["time", "symbol", "price"])
    """
    return _rows("data", dataset, dict(symbols=symbols, start=start, end=end, last=last, fields=fields, where=where, limit=limit, sort=sort, on_time=on_time, **more), to)


def bars(dataset: str, symbols: Symbols = None, every: str = "1m", start: Moment | None = None, end: Moment | None = None, *,
         last: str | None = None, to: str = "pandas", **more: Any) -> Any:
    """Open, high, low, close and volume, so often.

    >>> twolane.bars("trades", ["AAPL", "MSFT"], every="5m", last="7d")
    """
    return _rows("bars", dataset, dict(symbols=symbols, every=every, start=start, end=end, last=last, **more), to)


def latest(dataset: str, symbols: Symbols = None, *, to: str = "pandas", **more: Any) -> Any:
    """The last row of each symbol.

    >>> twolane.latest("quotes", "AAPL")
    """
    return _rows("latest", dataset, dict(symbols=symbols, **more), to)


def asof(left: str, right: str, symbols: Symbols = None, start: Moment | None = None, end: Moment | None = None, *, last: str | None = None,
         tolerance: str | None = None, direction: str | None = None, to: str = "pandas", **more: Any) -> Any:
    """Rows of `left`, each with the row of `right` that held at its time.

    >>> twolane.asof("trades", "quotes", "AAPL", last="1h", tolerance="1s")
    """
    return _rows("join", "asof", dict(left=left, right=right, symbols=symbols, start=start, end=end, last=last, tolerance=tolerance, direction=direction, **more), to, times_of=left)


def live(dataset: str, symbols: Symbols = None, *, start: Moment | None = None, fields: Sequence[str] | None = None, where: Any = None,
         conflate: str | None = None) -> Iterator[dict[str, Any]]:
    """Rows as they come, each a dict; `start` sends what was before first. A lost connection goes on where it was.

    >>> for row in twolane.live("quotes", ["AAPL"], start="-5m"): print(row)
    """
    query = _query(dict(symbols=symbols, start=start, fields=fields, where=where, conflate=conflate))
    url, position, failures = f"/v1/live/{_quote(dataset)}{query}", "", 0
    while True:
        try:
            with _open("GET", url, headers={"Last-Event-ID": position} if position else {}, timeout=_SILENCE_SECONDS_MAX) as answer:
                for event, identity, data in _events(answer):
                    failures = 0
                    if event == "row":
                        yield from data
                    # Behind the rows: who stops in the middle of them gets them again.
                    position = identity or position
                    if event == "end":
                        if not data["resumable"]:
                            raise TwolaneError(data["code"], data["detail"])
                        break
        except (OSError, ValueError) as error:
            if failures >= _TRIES_MAX:
                raise TwolaneError("UNREACHABLE", f"The live stream is lost: {error}") from error
        failures += 1
        # Also after an ordinary end: all clients of a platform that was restarted come at once.
        _time.sleep(_random.uniform(0.2, min(_WAIT_SECONDS_MAX, 2.0 ** failures)))


def datasets(dataset: str | None = None) -> Any:
    """All datasets that you may read; or what is known of one: columns, freshness, sample, examples.

    >>> [one["dataset"] for one in twolane.datasets()]
    """
    return _json_of("GET", "/v1/datasets")["datasets"] if dataset is None else _json_of("GET", f"/v1/datasets/{_quote(dataset)}")


def estimate(dataset: str, symbols: Symbols = None, start: Moment | None = None, end: Moment | None = None, *, last: str | None = None,
             kind: str = "data", **more: Any) -> dict[str, Any]:
    """What a question would read, before it is asked: rows, bytes, seconds.

    >>> twolane.estimate("quotes", last="30d")["rows"]
    """
    return _json_of("GET", f"/v1/estimate/{_quote(kind)}/{_quote(dataset)}{_query(dict(symbols=symbols, start=start, end=end, last=last, **more))}")


def status() -> dict[str, Any]:
    """How the platform is: state, one sentence, parts and datasets.

    >>> twolane.status()["sentence"]
    """
    return _json_of("GET", "/v1/status")


def export(dataset: str, folder: str | _os.PathLike[str], symbols: Symbols = None, start: Moment | None = None, end: Moment | None = None, *,
           last: str | None = None, format: str = "parquet", split: str = "none", **more: Any) -> list[_Path]:
    """Has the platform write files, waits for them, and brings them here; each one is checked by its hash.

    >>> twolane.export("trades", "trades-2026", start="2026-01-01", end="2026-02-01", split="day")
    """
    params = {name: value for name, value in dict(symbols=_listed(symbols), start=_moment(start), end=_moment(end), last=last, **more).items() if value is not None}
    found = _json_of("POST", "/v1/exports", {"dataset": dataset, "format": format, "split": split, **params})
    while found["state"] in ("queued", "running"):
        _time.sleep(0.5)
        found = _json_of("GET", f"/v1/exports/{found['id']}")
    if found["state"] != "done":
        raise TwolaneError("EXPORT_FAILED", str(found.get("reason") or f"The export is {found['state']}"))
    target = _Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    return [_download(file, target) for file in found["files"]]


def _download(file: Mapping[str, Any], folder: _Path) -> _Path:
    # A name of the platform's is no path of this machine.
    path = folder / _Path(str(file["name"])).name
    digest, partial = _hashlib.sha256(), path.with_name(path.name + ".part")
    with _open("GET", str(file["url"])) as answer, partial.open("wb") as out:
        while piece := answer.read(1 << 20):
            digest.update(piece)
            out.write(piece)
    if digest.hexdigest() != file["sha256"]:
        partial.unlink()
        raise TwolaneError("FILE_DAMAGED", f"{file['name']} has not arrived as it was sent", "Ask again.")
    partial.replace(path)
    return path


def _rows(kind: str, name: str, params: Mapping[str, Any], to: str, times_of: str | None = None) -> Any:
    if to not in ("pandas", "polars", "arrow"):
        raise ValueError(f'to is "pandas", "polars" or "arrow", not {to!r}')
    body = {key: value for key, value in params.items() if value is not None}
    body = {key: _listed(value) if key in ("symbols", "fields") else _moment(value) if key in ("start", "end", "as_of") else value for key, value in body.items()}
    arrow = _arrow(required=to != "pandas")
    with _open("POST", f"/v1/{kind}/{_quote(name)}.{'arrow' if arrow else 'csv'}", body) as answer:
        content = answer.read()
    if arrow is None:
        return _indexed(_pandas().read_csv(_io.BytesIO(content)), name, times_of)
    table = arrow.ipc.open_stream(content).read_all()
    if to == "arrow":
        return table
    if to == "polars":
        import polars
        return polars.from_arrow(table)
    return _indexed(table.to_pandas(), name, times_of)


def _indexed(frame: Any, name: str, times_of: str | None) -> Any:
    """The frame with its time as an index in UTC."""
    pandas = _pandas()
    for column in frame.columns:
        text = frame[column].dtype == object or str(frame[column].dtype) in ("str", "string")
        sample = frame[column].dropna().head(1)
        if text and len(sample) and isinstance(sample.iloc[0], str) and len(sample.iloc[0]) >= 20 and sample.iloc[0][10] == "T" and sample.iloc[0].endswith("Z"):
            frame[column] = pandas.to_datetime(frame[column], utc=True, format="ISO8601")
    times = [column for column in frame.columns if str(frame[column].dtype).startswith("datetime64")]
    chosen = _time_column(times_of or name) if len(times) > 1 else None
    index = chosen if chosen in times else times[0] if times else None
    if index is None:
        return frame
    frame = frame.set_index(index)
    frame.index = frame.index.tz_localize("UTC") if frame.index.tz is None else frame.index.tz_convert("UTC")
    return frame


_time_columns: dict[str, str | None] = {}


def _time_column(dataset: str) -> str | None:
    if dataset not in _time_columns:
        try:
            _time_columns[dataset] = datasets(dataset).get("event_time")
        except TwolaneError:
            _time_columns[dataset] = None
    return _time_columns[dataset]


def _pandas() -> Any:
    import pandas
    return pandas


def _arrow(required: bool) -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
        return pyarrow
    except ImportError:
        if required:
            raise
        return None


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) and "," not in value else value.split(",") if isinstance(value, str) else None if value is None else list(value)


def _moment(value: Any) -> Any:
    if isinstance(value, _datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=_datetime.timezone.utc)).astimezone(_datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    # Numbers go as text: JSON would lose digits of nanoseconds. What numpy has is text as well.
    return value if value is None else value.isoformat() if isinstance(value, _datetime.date) else str(value)


def _query(params: Mapping[str, Any]) -> str:
    def text(name: str, value: Any) -> str:
        if name in ("start", "end", "as_of"):
            return str(_moment(value))
        if name == "where" and not isinstance(value, str):
            return _json.dumps(value)
        return value if isinstance(value, str) else ",".join(map(str, value)) if isinstance(value, Iterable) else str(value)
    pairs = [(name, text(name, value)) for name, value in params.items() if value is not None]
    return "?" + _parse.urlencode(pairs) if pairs else ""


def _quote(name: str) -> str:
    return _parse.quote(name, safe="")


def _json_of(method: str, path: str, body: Any = None) -> Any:
    with _open(method, path, body) as answer:
        return _json.loads(answer.read())


class _NoRedirect(_request.HTTPRedirectHandler):
    """The token goes to the platform and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = _request.build_opener(_NoRedirect)


def _open(method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, timeout: float = _TIMEOUT_SECONDS) -> Any:
    """The answer, to be read and closed. What is refused for a while is asked again."""
    url = _os.environ.get("TWOLANE_URL", "http://127.0.0.1:8080").rstrip("/") + path
    token = _os.environ.get("TWOLANE_TOKEN", "")
    sent = {"Accept": "*/*", **({"Authorization": f"Bearer {token}"} if token else {}), **({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
    data = None if body is None else _json.dumps(body).encode()
    for attempt in range(_TRIES_MAX):
        try:
            answer = _opener.open(_request.Request(url, data=data, headers=sent, method=method), timeout=timeout)
        except _errors.HTTPError as error:
            wait = _wait(error, attempt)
            if wait is None or attempt == _TRIES_MAX - 1:
                raise _problem(error) from None
            _time.sleep(wait)
            continue
        except _errors.URLError as error:
            raise TwolaneError("UNREACHABLE", f"{url.split('?')[0]} does not answer: {error.reason}", "Set TWOLANE_URL.") from error
        for warning in _json.loads(answer.headers.get("X-Warning") or "[]"):
            _warnings.warn(warning, TwolaneWarning, stacklevel=4)
        return answer
    raise AssertionError("unreachable")


def _wait(error: _errors.HTTPError, attempt: int) -> float | None:
    if error.code not in (429, 503):
        return None
    after = error.headers.get("Retry-After") or ""
    seconds = float(after) if after.isdigit() else 0.5 * 2 ** attempt
    # A quota that comes back tomorrow is no reason to wait here.
    return None if seconds > _WAIT_SECONDS_MAX else seconds + _random.uniform(0, 0.5 * 2 ** attempt)


def _problem(error: _errors.HTTPError) -> TwolaneError:
    try:
        problem = _json.loads(error.read())
        return TwolaneError(problem["code"], problem["detail"], problem.get("remedy", ""), error.code)
    except (ValueError, KeyError, TypeError):
        return TwolaneError("HTTP", f"{error.url.split('?')[0]} answers {error.code}", "Is TWOLANE_URL the address of the platform?", error.code)


def _events(answer: Any) -> Iterator[tuple[str, str, Any]]:
    event, identity, data = "message", "", []
    for raw in answer:
        line = raw.decode().rstrip("\r\n")
        if line == "":
            if data:
                yield event, identity, _json.loads("\n".join(data))
            event, identity, data = "message", "", []
            continue
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "id":
            identity = value
        elif name == "data":
            data.append(value)
