"""Buffers that are used again, against new ones: time, and what is allocated on the way.

Scan: pays. A million positions take 250 MB of columns; memory that was never touched costs more to write to than all the
arithmetic on it, so the two tables of `PlatformState` take turns and keep theirs. What a scan still allocates is a column or
two at a time, and short-lived.

Serialization: counting the length of a transaction while it is filled (`programs.draft`), instead of building and serializing
every candidate, pays several times over. A pool of buffers for requests does not: the bytes of a transaction come out of
solders as a new object in any case, and so does their base64; the request written around them in a kept bytearray saves
6 us of the 600 that a call takes, and a kilobyte for as long. There is none. What all requests to an endpoint have in common
(url, headers, timeouts) is another matter: httpx's client merges and parses it for each of them, and a request made from one that
was built before takes half of the time (`rpc_transport.Endpoint`).
"""

import base64
import json
import tracemalloc
from typing import Final

import httpx

from bench.optimisations.timing import Way, compared
from bench.packing import pack_naively, scene
from bench.report.figure import Beside, Figure
from bench.scan import _markets, _positions
from keeper.position_table import PositionTable
from programs.pack import pack_targets
from programs.rpc_transport import Endpoint

POSITIONS: Final = 1_000_000
MARKETS: Final = 1_000
_TARGETS: Final = 1_000
_WIRE: Final = bytes(range(256)) * 4
"""As long as a transaction with a batch."""
_HEAD: Final = b'{"jsonrpc":"2.0","id":1,"method":"sendTransaction","params":["'
_TAIL: Final = b'",{"encoding":"base64","skipPreflight":true,"maxRetries":0}]}'
_MB: Final = 1_000_000


def measured(runs: int) -> list[Figure]:
    """Compare memory used again with new memory."""
    return [*_scans(runs), *_packed(runs), *_requests(runs), _built(runs)]


def _scans(runs: int) -> list[Figure]:
    columns = _positions(POSITIONS, _markets(MARKETS))
    kept = PositionTable()
    kept.refill(columns)

    def again() -> None:
        kept._replace(columns)  # all of it, as when positions come and go

    def anew() -> None:
        PositionTable().refill(columns)

    what = f"a scan of {POSITIONS:,} positions into buffers used again"
    return [
        compared(what, "ms", ("into new ones", anew), again, runs=runs),
        Figure(
            name=f"{what}: most allocated at once",
            unit="MB",
            runs=(_peak_bytes(again) / _MB,),
            baseline=Beside(name="into new ones", value=_peak_bytes(anew) / _MB),
        ),
    ]


def _peak_bytes(way: Way) -> int:
    """Return the most that a call held at once of what it allocated, numpy's arrays included."""
    tracemalloc.start()
    way()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _packed(runs: int) -> list[Figure]:
    found = scene(_TARGETS, 10)

    def counted() -> None:
        pack_targets(found.jobs, found.templates, found.payer)

    def serialized() -> None:
        pack_naively(found)

    return [
        compared(
            f"{_TARGETS:,} liquidations packed, sizes counted",
            "ms",
            ("each candidate built and serialized", serialized),
            counted,
            runs=min(runs, 3),
        )
    ]


def _requests(runs: int) -> list[Figure]:
    """Write the body of a send: as it is done, and into a buffer that is kept."""
    buffer = bytearray(4_096)
    end = len(_HEAD)
    buffer[:end] = _HEAD

    def dumped() -> bytes:
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        params = [base64.b64encode(_WIRE).decode(), options]
        request = {"jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": params}
        return json.dumps(request, separators=(",", ":")).encode()

    def pooled() -> bytes:
        encoded = base64.b64encode(_WIRE)
        stop = end + len(encoded)
        buffer[end:stop] = encoded
        buffer[stop : stop + len(_TAIL)] = _TAIL
        return bytes(memoryview(buffer)[: stop + len(_TAIL)])

    assert pooled() == dumped()
    what = "the request around a transaction, in a kept buffer (not in the product)"
    return [
        compared(what, "µs", ("made anew", dumped), pooled, runs=runs, calls=5_000),
        Figure(
            name=f"{what}: most allocated at once",
            unit="bytes",
            runs=(_peak_bytes(pooled),),
            baseline=Beside(name="made anew", value=_peak_bytes(dumped)),
        ),
    ]


def _built(runs: int) -> Figure:
    """Build the request of a send: from what all have in common, and as httpx's client does."""
    client, url = httpx.AsyncClient(), "http://127.0.0.1:8899"
    endpoint = Endpoint(url=url, client=client, try_timeout_s=1, body_bytes_max=1)
    params = [base64.b64encode(_WIRE).decode(), {"encoding": "base64"}]
    body = {"jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": params}
    headers = {"accept-encoding": "gzip"}

    def built() -> httpx.Request:
        return client.build_request("POST", url, json=body, headers=headers)

    made = endpoint._request  # noqa: SLF001 - what every call begins with
    assert made(body).content == built().content
    return compared(
        "the HTTP request of a send, made from one that was built before",
        "µs",
        ("by httpx's client", built),
        lambda: made(body),
        runs=runs,
        calls=500,
    )
