"""The tokens that share one socket, kept on one: reconnected after a loss, replaced before they are lost.

Shell. A socket is replaced while it still speaks: its successor is opened, subscribed and given every book its
predecessor has before it takes over, so that a rotation is no gap.
"""

import structlog
import trio

from keeper.newest import Newest
from keeper.prices.errors import BadStatusError, ForbiddenError, TimedOutError, VenueError
from keeper.prices.price import TokenId
from keeper.prices.snapshot_requests import INTERVAL_MAX_S, INTERVAL_S
from keeper.prices.stream_link import Link, Wire

_BACKOFF_FIRST_S = 0.25
_SUCCESSION_S = 10.0
"""How long a successor may take to know the books of its predecessor; what it lacks then, it has to do without."""

log = structlog.get_logger()


def backoff_s(failures: int, draw: float, most_s: float) -> float:
    """Return how long to wait before the next connection.

    Doubles with every failure in a row, up to `most_s`; `draw` in [0, 1) takes off up to half, so that a thousand
    keepers do not return in one instant.
    """
    doubled = _BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 30)
    return min(doubled, most_s) * (1 - draw / 2)


async def keep_bundle(wire: Wire, wanted: Newest[tuple[TokenId, ...]]) -> None:
    """Keep one socket open for the wanted tokens while there are any, for ever."""
    bundle = _Bundle(wire, wanted)
    async with trio.open_nursery() as nursery:
        while True:
            await bundle.wait_wanted()
            serving = bundle.open(nursery)
            while not serving.over.is_set():
                await _wait_any(serving.over, serving.due)
                if serving.due.is_set():
                    serving = await bundle.replace(nursery, serving)
            await bundle.mourn(serving)


class _Bundle:
    """One bundle's sockets, one after the other, and how often they failed."""

    def __init__(self, wire: Wire, wanted: Newest[tuple[TokenId, ...]]) -> None:
        self._wire = wire
        self._wanted = wanted
        self._source = wire.config.stream_traits.name
        self._failures = 0
        self._doubts = 0
        """Sockets in a row that were replaced because they were doubted."""

    async def wait_wanted(self) -> None:
        sequence = self._wanted.sequence
        while not self._wanted.get():
            sequence, _ = await self._wanted.wait_newer(sequence)

    def open(self, nursery: trio.Nursery, awaited: frozenset[TokenId] | None = None) -> Link:
        # Each doubt that a fresh socket did not heal makes the next replacement rarer.
        patience_s = min(INTERVAL_S * 2.0 ** min(self._doubts - 1, 30), INTERVAL_MAX_S)
        link = Link(
            self._wire,
            self._wanted,
            awaited=awaited,
            doubt_after_s=patience_s if self._doubts else 0.0,
        )
        nursery.start_soon(link.run)
        return link

    async def replace(self, nursery: trio.Nursery, serving: Link) -> Link:
        """Return the successor once it has taken over, or the old one if none could."""
        known = frozenset(serving.reader.books.known())
        successor = self.open(nursery, awaited=known)
        with trio.move_on_after(_SUCCESSION_S):
            await _wait_any(successor.ready, successor.over, serving.over)
        if not self._wanted.get():
            return serving  # Both have ended: its tokens are wanted no longer.
        if successor.over.is_set() or not (
            serving.over.is_set() or successor.reader.books.known() or not known
        ):
            error = successor.failure or TimedOutError(
                f"{self._wire.config.stream_url} gave a second socket no book in {_SUCCESSION_S:.0f} s"
            )
            successor.end()
            await self._back_off(error, until=serving.over)
            return serving
        self._doubts = self._doubts + 1 if serving.is_doubted else 0
        if serving.failure is not None:
            self._wire.hearing.fail(self._source, serving.failure)
        serving.end()
        log.info(
            "stream.rotated",
            age_s=round(serving.age_s, 1),
            is_doubted=serving.is_doubted,
            missing=len(known.difference(successor.reader.books.known())),
        )
        await successor.reader.take_over(known)
        self._failures = 0
        return successor

    async def mourn(self, link: Link) -> None:
        """Tell that a socket is lost, and wait as long as is polite before the next."""
        if link.failure is None:
            return  # Its tokens are wanted no longer.
        if link.age_s > self._wire.config.pong_timeout_ms / 1_000:
            self._failures = 0
        hearing = self._wire.hearing
        hearing.miss(self._source)
        hearing.lose(self._source, link.tokens)
        await self._back_off(link.failure)

    async def _back_off(self, error: VenueError, until: trio.Event | None = None) -> None:
        self._failures += 1
        self._wire.hearing.fail(self._source, error)
        if isinstance(error, BadStatusError) and error.restart is not None:
            self._wire.hearing.note_restart(self._source, error.restart)
        pause_s = self._pause_s(error)
        if until is None:
            await trio.sleep(pause_s)
            return
        with trio.move_on_after(pause_s):
            await until.wait()

    def _pause_s(self, error: VenueError) -> float:
        config = self._wire.config
        most_s = config.reconnect_max_ms / 1_000
        pause_s = backoff_s(self._failures, self._wire.jitter.random(), most_s)
        if isinstance(error, ForbiddenError):  # Asking again soon makes it worse.
            pause_s = max(pause_s, config.breaker_probe_max_ms / 1_000)
        if isinstance(error, BadStatusError) and error.retry_after_ms is not None:
            pause_s = max(pause_s, error.retry_after_ms / 1_000)
        return pause_s


async def _wait_any(*events: trio.Event) -> None:
    """Wait until one of the events is set."""

    async def wait(event: trio.Event) -> None:
        await event.wait()
        nursery.cancel_scope.cancel(reason="one of the events is set")

    async with trio.open_nursery() as nursery:
        for event in events:
            nursery.start_soon(wait, event)
