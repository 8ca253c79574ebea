"""Faults below HTTP: bytes that come slowly, not at all, cut off, or from a stranger."""

from keeper.drills.expectations import (
    BELIEVED,
    MISTRUSTED,
    Acts,
    Expectation,
    Follows,
    Keeps,
    Reaches,
    Refrains,
    Tells,
)
from keeper.drills.faults import (
    Blackhole,
    Cut,
    Drip,
    Family,
    Garbage,
    Refuse,
    Road,
    Telling,
    Wire,
)
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.drills.scenarios.acts import (
    BACK,
    CALM,
    HEALED,
    UNANSWERED,
    close_calmly,
    mend_everything,
    open_calmly,
)
from keeper.prices.price import PriceClass

_QUICK = Settings(slot_ms=20)
_NOTICED_S = _QUICK.slots_s(150) + 2.5
"""Deadlines and missed polls, and then the age of the last good price."""


async def _break_all(stage: Stage, fault: str, *wires: Wire) -> None:
    """Let every family suffer the same, and the market move unseen."""
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, fault)
    for family in Family:
        stage.break_wire(family, *wires)
    if not any(isinstance(wire, Blackhole | Refuse) for wire in wires):
        stage.hang_up()
    await stage.hold(0.5)
    stage.set_truth(0, 300_000)
    await stage.hold(_NOTICED_S + 1.5)
    await close_calmly(stage)


def _blind(kind: str) -> tuple[Expectation, ...]:
    """Expect what must happen when nothing comes through, and that an operator is told why by its kind."""
    return (
        CALM,
        Reaches(phase=PhaseName.DURING, classes=MISTRUSTED, within_s=_NOTICED_S),
        Refrains(phase=PhaseName.DURING, after_s=_NOTICED_S),
        Tells(phase=PhaseName.DURING, words=("source.failed", "source=clob", f"kind={kind}")),
        HEALED,
        BACK,
    )


async def _drip(stage: Stage) -> None:
    await _break_all(stage, "every reply drips at 40 bytes a second", Drip(bytes_per_s=40))


SLOW_DRIP = Scenario(
    name="slow-drip",
    title="Every reply drips at forty bytes a second: never silent, never whole.",
    play=_drip,
    settings=_QUICK,
    expects=_blind("timeout"),
    alarms=UNANSWERED,
)


async def _swallow(stage: Stage) -> None:
    await _break_all(stage, "connections are taken and never answered", Blackhole())


BLACK_HOLE = Scenario(
    name="black-hole",
    title="Connections stay open and nothing ever comes back on them.",
    play=_swallow,
    settings=_QUICK,
    expects=(
        *_blind("timeout"),
        Tells(
            phase=PhaseName.DURING,
            words=("source.failed", "source=stream", "kind=stream_silent"),
        ),
    ),
    alarms=UNANSWERED,
)


async def _reset(stage: Stage) -> None:
    await _break_all(stage, "every reply is reset", Cut(after_bytes=120, is_reset=True))


RESETS = Scenario(
    name="resets",
    title="Every connection is reset in the middle of its reply.",
    play=_reset,
    settings=_QUICK,
    expects=_blind("reset"),
    alarms=UNANSWERED,
)


async def _truncate(stage: Stage) -> None:
    await _break_all(stage, "every reply ends early", Cut(after_bytes=600))


TRUNCATION = Scenario(
    name="truncation",
    title="Every reply ends early, in order, with its headers whole and its body cut.",
    play=_truncate,
    settings=_QUICK,
    expects=_blind("truncated"),
    alarms=UNANSWERED,
)


async def _garble(stage: Stage) -> None:
    await _break_all(stage, "a TLS alert comes instead of HTTP", Garbage())


NO_HTTP = Scenario(
    name="no-http",
    title="What answers on the venue's ports speaks no HTTP: a TLS alert comes back.",
    play=_garble,
    settings=_QUICK,
    expects=_blind(""),
    alarms=UNANSWERED,
)

_STRANGER = Settings(
    roads={Family.STREAM: Road.UNTRUSTED_TLS, Family.GAMMA: Road.UNTRUSTED_TLS}, slot_ms=20
)


async def _impersonate(stage: Stage) -> None:
    for family in (Family.STREAM, Family.GAMMA):
        stage.tell(family, Telling(price_e6=900_000))
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the CLOB refuses connections: only strangers are left")
    stage.break_wire(Family.CLOB, Refuse())
    stage.set_truth(0, 300_000)
    await stage.hold(_NOTICED_S + 1.5)
    stage.begin(PhaseName.AFTER, "the strangers stay")
    stage.break_wire(Family.CLOB)
    await stage.settle(within_s=8)
    await stage.wait_liquidated(market=0, at_least=1, within_s=3)


UNTRUSTED_TLS = Scenario(
    name="untrusted-tls",
    title="Whoever answers for stream and Gamma shows a certificate that nobody signed, and lies: from the start on, never heard.",
    play=_impersonate,
    settings=_STRANGER,
    expects=(
        CALM,
        Follows(phase=PhaseName.BEFORE, source="clob", within_s=8),
        Tells(phase=PhaseName.BEFORE, words=("source.failed", "source=gamma", "kind=tls")),
        Reaches(phase=PhaseName.DURING, classes=MISTRUSTED, within_s=_NOTICED_S),
        Refrains(phase=PhaseName.DURING, after_s=_NOTICED_S),
        # The strangers are still there: only the CLOB may be followed.
        HEALED,
        Follows(phase=PhaseName.AFTER, source="clob", within_s=6),
        BACK,
    ),
    alarms=UNANSWERED,
)

_NAMELESS = Settings(roads={Family.STREAM: Road.UNRESOLVABLE, Family.GAMMA: Road.UNRESOLVABLE})


async def _lose_the_names(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the CLOB, whose address is known, goes too")
    stage.break_wire(Family.CLOB, Refuse())
    await stage.hold(2.5)
    await mend_everything(stage)
    stage.set_truth(0, 420_000)
    await stage.settle(within_s=8)
    await stage.wait_liquidated(market=0, at_least=1, within_s=3)


NO_SUCH_HOST = Scenario(
    name="no-such-host",
    title="The names of stream and Gamma do not resolve from the start on: the CLOB carries the prices alone, until it goes too.",
    play=_lose_the_names,
    settings=_NAMELESS,
    expects=(
        CALM,
        Follows(phase=PhaseName.BEFORE, source="clob", within_s=8),
        Tells(phase=PhaseName.BEFORE, words=("source.failed", "source=gamma", "kind=dns")),
        Reaches(phase=PhaseName.DURING, classes=(PriceClass.DEGRADED, *MISTRUSTED), within_s=2.5),
        HEALED,
        Keeps(phase=PhaseName.AFTER, classes=BELIEVED, after_s=3),
        Acts(phase=PhaseName.AFTER, kind=ActionKind.LIQUIDATE, within_s=9, market=0),
        BACK,
    ),
    alarms=UNANSWERED,
)
