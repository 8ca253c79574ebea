"""A program's accounts, told of as they change: one websocket, kept open, at one endpoint after the other.

Shell. A subscription that is silent is dead, whatever TCP says: slots go on, and they are told of on the same socket. What
is told is handed on at once and never queued here; how much of it is kept is the hearer's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random, getrandbits
from typing import Final, Protocol

import httpx
import structlog
import trio
from solders.pubkey import Pubkey

from keeper.account_notices import (
    KINDS,
    Acknowledged,
    SlotBegan,
    UnreadableMessageError,
    read_message,
    requests,
)
from keeper.platform_state import Notice
from keeper.prices.errors import StreamClosedError, StreamSilentError, TimedOutError, VenueError
from keeper.prices.stream_bundle import backoff_s
from keeper.prices.websocket import Websocket, open_websocket
from programs.endpoint_urls import shown_url
from programs.layout import AccountKind
from programs.outage import Outage

_MESSAGE_BYTES_MAX: Final = 1 << 20
"""The largest account read is some 4 KB of base64."""
_OPEN_TIMEOUT_S: Final = 5.0
_BACKOFF_MOST_S: Final = 30.0
_RUBBISH_MAX: Final = 8
"""Messages in a row of which nothing can be read, after which the socket is replaced."""

log = structlog.get_logger()


class Hearer(Protocol):
    """Who is told; nothing here blocks."""

    def note_slot(self, began: SlotBegan) -> None:
        """Take in that a slot began."""

    def note_account(self, notice: Notice) -> None:
        """Take in what an account holds."""

    def note_loss(self, kind: str) -> None:
        """Take in that a subscription ended, or could not be had, and why in a word."""

    def note_unreadable(self) -> None:
        """Take in that a message was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where to listen, and how patiently."""

    urls: Sequence[str]
    """Websocket endpoints, asked in turn; none: nobody listens."""
    silent_after_s: float
    """Without a word about slots for so long, a socket is given up."""
    jitter: Random = field(default_factory=lambda: Random(getrandbits(64)))  # noqa: S311 - spreads reconnections, guards nothing


async def listen(listening: Listening, program: Pubkey, hearer: Hearer) -> None:
    """Listen until cancelled; a lost connection is followed by another, ever more patiently."""
    outage, failures = Outage(subject="subscription"), 0
    async with httpx.AsyncClient(timeout=None) as client:  # noqa: S113 - what may hang is under fail_after
        while True:
            url = listening.urls[failures % len(listening.urls)]
            heard = _Heard()
            try:
                await _converse(client, url, listening, program, hearer, heard)
            except* VenueError as group:
                error = _first_of(group)
                hearer.note_loss(error.kind)
                outage.note_failure(str(error).replace(url, shown_url(url)))
            failures = 1 if heard.is_alive else failures + 1
            if heard.is_alive:
                outage.note_success()
            await trio.sleep(backoff_s(failures, listening.jitter.random(), _BACKOFF_MOST_S))


@dataclass(slots=True)
class _Heard:
    """What one connection has said."""

    kinds: dict[int, AccountKind] = field(default_factory=dict)
    acknowledged: int = 0
    slot_at_s: float = 0.0
    is_alive: bool = False
    """Whether it was subscribed and told of slots."""
    rubbish: int = 0


async def _converse(
    client: httpx.AsyncClient,
    url: str,
    listening: Listening,
    program: Pubkey,
    hearer: Hearer,
    heard: _Heard,
) -> None:
    """Subscribe and hand on what is told, until the connection ends."""
    async with trio.open_nursery() as nursery:
        patience = trio.CancelScope(deadline=trio.current_time() + _OPEN_TIMEOUT_S)
        with patience:
            async with open_websocket(
                client, url, bytes_max=_MESSAGE_BYTES_MAX, refused=_refused
            ) as socket:
                for request in requests(program):
                    await socket.send_text(request)
                patience.deadline = float("inf")
                heard.slot_at_s = trio.current_time()
                nursery.start_soon(_watch_silence, socket, listening, heard)
                await _hand_on(socket, hearer, heard)
        raise TimedOutError(f"{url} was not open in {_OPEN_TIMEOUT_S:g} s")


async def _hand_on(socket: Websocket, hearer: Hearer, heard: _Heard) -> None:
    while True:
        text = await socket.receive_text()
        try:
            said = read_message(text, heard.kinds)
        except UnreadableMessageError as error:
            heard.rubbish += 1
            hearer.note_unreadable()
            if heard.rubbish >= _RUBBISH_MAX or heard.acknowledged <= len(KINDS):
                raise StreamClosedError(f"{socket.url} is no subscription: {error}") from error
            continue
        heard.rubbish = 0
        match said:
            case Acknowledged(request_id, subscription):
                heard.acknowledged += 1
                if request_id in KINDS:
                    heard.kinds[subscription] = AccountKind(request_id)
            case SlotBegan():
                heard.slot_at_s = trio.current_time()
                # Before everything is subscribed to, a slot says nothing of what may be missed.
                if heard.acknowledged <= len(KINDS):
                    continue
                if not heard.is_alive:
                    heard.is_alive = True
                    log.info("subscription.opened", slot=said.slot)
                hearer.note_slot(said)
            case Notice():
                hearer.note_account(said)


async def _watch_silence(socket: Websocket, listening: Listening, heard: _Heard) -> None:
    while True:
        due_s = heard.slot_at_s + listening.silent_after_s
        if trio.current_time() >= due_s:
            raise StreamSilentError(
                f"{socket.url} told of no slot for {listening.silent_after_s:g} s"
            )
        await trio.sleep_until(due_s)


def _refused(response: httpx.Response) -> VenueError:
    return StreamClosedError(f"{response.url} answered {response.status_code}, wanted 101")


def _first_of(group: BaseExceptionGroup[VenueError]) -> VenueError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, VenueError), "except* selected it by type"
    return found
