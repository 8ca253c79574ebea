"""What an operator tells the proxy to break, from a line of text.

Core. One order replaces the one before it: what is broken is always the last line, whole.
"""

import re
from dataclasses import dataclass
from typing import Final

from keeper.drills.faults import Blackhole, Canned, Cut, Drip, Garbage, Latency, Refuse, Wire

HELP: Final = """\
latency 2s          every byte arrives so much later
drip 50             replies come at 50 bytes a second
cut 100             a reply ends after 100 bytes
reset 0             the same, by a TCP reset
blackhole           connections are taken, nothing ever comes back
refuse              nobody listens; open connections are reset
garbage             replies are no HTTP
status 503          429, 403, 425, 500 ... instead of the reply; "status 429 retry 30" adds Retry-After
freeze              the websocket answers PING and says nothing else
none                all of it ends
Several at once: latency 2s, status 503. Of a share: 50% latency 2s."""
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}
_BYTES_MAX: Final = 1 << 30
_STATUS_LEAST, _STATUS_MOST = 200, 599
_PER_CENT_MOST: Final = 100
_CLOUDFLARE: Final = b"<!DOCTYPE html><title>Access denied</title>error code: 1010"


class OrderError(ValueError):
    """A line that is no order; the message says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is broken from now on."""

    text: str = "none"
    wires: tuple[Wire, ...] = ()
    status: Canned | None = None
    is_muted: bool = False
    """The websocket is frozen, PONG apart."""
    share_percent: int = 100
    """Of connections, and of requests where a status is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """An order and when it is given."""

    at_s: float
    order: Order


def order_of(line: str) -> Order:
    """Read one order.

    Raises:
        OrderError: it is none.
    """
    text = " ".join(line.split())
    share = re.match(r"(\d+)% ?", text)
    share_percent = int(share[1]) if share else _PER_CENT_MOST
    if not 1 <= share_percent <= _PER_CENT_MOST:
        raise OrderError(f"a share of {share_percent}%: expected 1% to 100%")
    wires: list[Wire] = []
    status, is_muted = None, False
    for part in text[share.end() if share else 0 :].split(","):
        words = part.split()
        if words[:1] == ["status"]:
            status = _status_of(words)
        elif words == ["freeze"]:
            is_muted = True
        elif words != ["none"]:
            wires.append(_wire_of(words))
    return Order(
        text=text,
        wires=tuple(wires),
        status=status,
        is_muted=is_muted,
        share_percent=share_percent,
    )


def schedule_of(text: str) -> tuple[Timed, ...]:
    """Read a schedule: a time since the start and an order on each line, # before a remark.

    Raises:
        OrderError: with the number of the line that is wrong.
    """
    found: list[Timed] = []
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        when, _, rest = said.partition(" ")
        try:
            timed = Timed(at_s=_seconds_of(when), order=order_of(rest))
        except OrderError as error:
            raise OrderError(f"line {number}: {error}") from error
        if found and timed.at_s < found[-1].at_s:
            raise OrderError(f"line {number}: {when} is before the line above it")
        found.append(timed)
    return tuple(found)


def _wire_of(words: list[str]) -> Wire:
    match words:
        case ["latency", length]:
            return Latency(delay_s=_seconds_of(length))
        case ["drip", rate]:
            return Drip(bytes_per_s=_number_of(rate, 1, _BYTES_MAX))
        case ["cut", after]:
            return Cut(after_bytes=_number_of(after, 0, _BYTES_MAX))
        case ["reset", after]:
            return Cut(after_bytes=_number_of(after, 0, _BYTES_MAX), is_reset=True)
        case ["reset"]:
            return Cut(after_bytes=0, is_reset=True)
        case ["blackhole"]:
            return Blackhole()
        case ["refuse"]:
            return Refuse()
        case ["garbage"]:
            return Garbage()
        case _:
            said = " ".join(words)
            raise OrderError(f"{said!r} is no order: `help` lists them")


def _status_of(words: list[str]) -> Canned:
    match words:
        case ["status", code]:
            headers: tuple[tuple[str, str], ...] = ()
        case ["status", code, "retry", seconds]:
            headers = (("Retry-After", str(_number_of(seconds, 0, 86_400))),)
        case _:
            raise OrderError("expected e.g. status 503, or status 429 retry 30")
    status = _number_of(code, _STATUS_LEAST, _STATUS_MOST)
    if status == 403:  # noqa: PLR2004 - as Cloudflare says it
        return Canned(status=status, body=_CLOUDFLARE, content_type="text/html", headers=headers)
    body = b'{"error":"a drill answers instead of the venue"}'
    return Canned(status=status, body=body, headers=headers)


def _number_of(text: str, least: int, most: int) -> int:
    if re.fullmatch(r"\d{1,12}", text) is None or not least <= int(text) <= most:
        raise OrderError(f"{text!r}: expected a whole number from {least} to {most}")
    return int(text)


def _seconds_of(text: str) -> float:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)", text)
    if found is None:
        raise OrderError(f"{text!r} is no length of time: expected e.g. 500ms, 2s or 5m")
    return float(found[1]) * _UNITS_S[found[2]]
