"""The guards of what is read: HTTP, the websocket, and the bodies of both."""

from typing import Final

from bench.guards.guard import Guard

_HTTP: Final = "keeper/prices/venue_http.py"
_BREAKER: Final = "programs/breaker.py"
_BOOKS: Final = "keeper/prices/streamed_books.py"

VENUE: Final = (
    Guard(
        name="a hard deadline round every call",
        file=_HTTP,
        found="            with trio.fail_after(self.config.request_timeout_s):\n",
        replacement="            with trio.fail_after(1_000 * self.config.request_timeout_s):\n",
        drills=("slow-drip", "black-hole"),
    ),
    Guard(
        name="only status 200 has a body that counts",
        file=_HTTP,
        found="                if response.status_code != httpx.codes.OK:\n",
        replacement="                if response.status_code == httpx.codes.CONTINUE:\n",
        drills=("engine-restart", "rate-limited"),
    ),
    Guard(
        name="no redirect is followed",
        file=_HTTP,
        found="        follow_redirects=False,\n",
        replacement="        follow_redirects=True,\n",
        drills=("redirected",),
    ),
    Guard(
        name="a reply has a size at which it is read no further",
        file="keeper/prices/inflate.py",
        found="        if len(self._body) > self._bytes_max:\n",
        replacement="        if len(self._body) > 1_000 * self._bytes_max:\n",
        drills=("oversized-bodies",),
    ),
    Guard(
        name="the venue's wish to be left alone is granted",
        file=_BREAKER,
        found="            wait_s = max(wait_s, setback.retry_after_s)\n",
        replacement="            wait_s = min(wait_s, setback.retry_after_s)\n",
        drills=("asked-to-wait",),
    ),
    Guard(
        name="a refusal stops the calls at once",
        file=_BREAKER,
        found="        is_asked_away = setback.is_refusal or setback.retry_after_s is not None\n",
        replacement="        is_asked_away = setback.retry_after_s is not None\n",
        drills=("blocked-at-once",),
    ),
    Guard(
        name="an endpoint that fails is left alone for a while",
        file=_BREAKER,
        found="        return 0 if self.state is BreakerState.CLOSED else max(self.probe_at_s - now_s, 0)\n",
        replacement="        return 0.0 * now_s\n",
        drills=("blocked-by-cloudflare", "server-errors", "rate-limited"),
    ),
    Guard(
        name="425 means an engine restart",
        file="keeper/prices/errors.py",
        found="        return f\"425 {self.code or 'service not ready'}\"\n",
        replacement="        return None\n",
        drills=("engine-restart",),
    ),
    Guard(
        name="a websocket without PONG is dead",
        file="keeper/prices/stream_link.py",
        found="        if silence_s < most_s:\n",
        replacement="        if silence_s < 1_000 * most_s:\n",
        drills=("black-hole",),
    ),
    Guard(
        name="a dead websocket's books are not believed",
        file="keeper/prices/stream_bundle.py",
        found="hearing.lose(",
        replacement="hearing.take_doubted(",
        drills=("stream-lost", "total-outage", "server-errors"),
    ),
    Guard(
        name="the books of a doubted token are asked for anew",
        file="keeper/prices/stream_link.py",
        found="            requests.doubt(doubted, now_s)\n",
        replacement="            requests.forget(())\n",
        drills=("asset-frozen", "stream-frozen"),
    ),
    Guard(
        name="older deltas are dropped",
        file="keeper/prices/book.py",
        found="        if age_ms > 0:\n            if",
        replacement="        if age_ms > 10**15:\n            if",
        drills=("disordered-deltas",),
    ),
    Guard(
        name="a stream whose clock went back loses its books",
        file=_BOOKS,
        found="        elif applied is Applied.CLOCK_STEPPED:\n            _add(outcome.dropped, token_id)\n",
        replacement="",
        drills=("stream-set-back",),
    ),
    Guard(
        name="a market that says closed and accepting orders is closed",
        file="keeper/prices/listing.py",
        found='        is_closed=body.get("closed") is True or _is_resolved(body),\n',
        replacement='        is_closed=body.get("closed") is True and body.get("acceptingOrders") is not True,\n',
        drills=("conflicting-flags",),
    ),
)
