"""What comes first: is all well, and if not, what is wrong, since when, what the keeper did, what to do.

Core.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from keeper.monitor.page import words
from keeper.monitor.page.blocks import State
from keeper.monitor.page.shown import KEEPER, SILENT_S, Alert, Check, Shown
from state import metrics as m

LEVELS: Final = ("info", "warning", "critical", "emergency")
STATES: Final[dict[str, State]] = {
    "info": "note",
    "warning": "warning",
    "critical": "bad",
    "emergency": "bad",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The one sentence that comes first."""

    state: State
    sentence: str
    spoken: str
    """The same without figures that move: it is read aloud whenever it changes, and only then."""
    title: str
    """Of the browser's tab."""

    @classmethod
    def plain(cls, state: State, sentence: str, title: str) -> Self:
        """Return one whose sentence stands still by itself."""
        return cls(state=state, sentence=sentence, spoken=sentence, title=title)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert as it is shown."""

    rule: str
    level: str
    state: State
    summary: str
    labels: str
    since: str
    since_stamp: str
    lasts: str
    already_did: str
    runbook: str
    acknowledged_by: str | None
    command: str
    """What takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The top of the page."""

    verdict: Verdict
    alerts: Sequence[AlertRow]
    failed: Sequence[Check]
    passed: Sequence[Check]
    facts: Sequence[tuple[str, str]]
    """What the keeper is, for how long, and where on the chain it stands."""


def level_of(alert: Alert) -> str:
    """Return a level as one of `LEVELS`; one that is not known counts as the worst."""
    name = str(alert.level).lower()
    return name if name in LEVELS else LEVELS[-1]


def overview(shown: Shown) -> Overview:
    """Return what comes first."""
    ordered = sorted(
        shown.alerts, key=lambda each: (-LEVELS.index(level_of(each)), each.since_wall_s)
    )
    failed = tuple(check for check in shown.checks if not check.passed)
    return Overview(
        verdict=_verdict(shown, ordered, failed),
        alerts=tuple(_row(alert, shown.wall_s) for alert in ordered),
        failed=failed,
        passed=tuple(check for check in shown.checks if check.passed),
        facts=tuple(_facts(shown)),
    )


def _verdict(shown: Shown, alerts: Sequence[Alert], failed: Sequence[Check]) -> Verdict:
    word = _word(shown)
    if word is not None:
        return word
    if alerts:
        worst = level_of(alerts[0])
        many = "1 alert fires" if len(alerts) == 1 else f"{len(alerts)} alerts fire"
        begin = f"{many}, the worst is {worst}:"
        return Verdict(
            state="bad" if failed else STATES[worst],
            sentence=f"{begin} {alerts[0].summary}",
            spoken=f"{begin} {words.plain(alerts[0].rule)}",
            title=f"({len(alerts)}) {worst}",
        )
    if failed:
        others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        sentence = f"not ready: {words.plain(failed[0].name)}{others}"
        return Verdict.plain("bad", sentence, "not ready")
    count = len(shown.checks)
    sentence = f"all is well: {count} of {count} checks pass, no alert fires"
    return Verdict.plain("good", sentence, "all is well")


def _word(shown: Shown) -> Verdict | None:
    """Say that there is no present to judge, if so."""
    seen = shown.samples.get(KEEPER)
    if seen is None:
        sentence = "no word from the keeper yet: nothing is known of it"
        return Verdict.plain("bad", sentence, "no keeper")
    if seen.sample.is_last:
        sentence = "the keeper has stopped in order; figures are those of its end"
        return Verdict.plain("note", sentence, "stopped")
    if seen.age_s > SILENT_S:
        told = words.clock(shown.wall_s - seen.age_s)
        sentence = f"the keeper is silent since {told}: figures below are old"
        return Verdict.plain("bad", sentence, "keeper silent")
    return None


def _row(alert: Alert, wall_s: float) -> AlertRow:
    level = level_of(alert)
    return AlertRow(
        rule=alert.rule,
        level=level,
        state=STATES[level],
        summary=alert.summary,
        labels=", ".join(f"{name} {value}" for name, value in alert.labels.items()),
        since=words.clock(alert.since_wall_s),
        since_stamp=words.stamp(alert.since_wall_s),
        lasts=words.length(max(0.0, wall_s - alert.since_wall_s)),
        already_did=alert.already_did,
        runbook=f"runbooks/{alert.rule}",
        acknowledged_by=alert.acknowledged_by,
        command=f"keeper alerts ack {alert.fingerprint}",
    )


def _facts(shown: Shown) -> list[tuple[str, str]]:
    cluster = shown.details("cluster")
    named = cluster if isinstance(cluster, dict) else {}
    slot = shown.get(m.SLOT)
    return [
        ("runs for", words.length(shown.get(m.UPTIME, KEEPER))),
        ("slot", words.count(slot)),
        ("seen", f"{words.length(shown.get(m.SLOT_AGE))} ago"),
        *(
            (name, str(named[name]))
            for name in ("version", "program", "genesis_hash")
            if name in named
        ),
    ]
