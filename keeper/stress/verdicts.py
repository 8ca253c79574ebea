"""What every stress run is held to, whatever its load.

Core.
"""

from collections.abc import Iterator, Sequence

from keeper.stress.evidence import Evidence
from keeper.stress.model import Verdict, written

_LISTED = 3


def sound(evidence: Evidence) -> tuple[Verdict, ...]:
    """Judge what no load excuses: nothing twice, nothing unrecorded, nothing open, the books in order."""
    return tuple(_sound(evidence))


def _sound(evidence: Evidence) -> Iterator[Verdict]:
    repeats = [f"{each.job} {each.effect}" for each in evidence.repeats]
    yield Verdict(
        expected="no effect lands twice",
        seen=_listed(repeats, "none did"),
        passed=not repeats,
    )
    yield _recorded(evidence)
    opened = sum(row.state == "open" for row in evidence.attempts)
    yield Verdict(
        expected="at its end the keeper knows how each of its transactions ended",
        seen=f"{opened} of {len(evidence.attempts)} are open",
        passed=not opened,
    )
    yield Verdict(
        expected="the chain's accounts add up: loans against debts, pools against positions, counters against tokens",
        seen=_listed(evidence.book_faults, "everything adds up"),
        passed=not evidence.book_faults,
    )
    yield Verdict(
        expected="the ledger of rewards passes `incentives verify` and agrees with the chain",
        seen=_listed(evidence.ledger_faults, "it does"),
        passed=not evidence.ledger_faults,
    )
    yield Verdict(
        expected="the keeper ends in order",
        seen=f"exit status {evidence.exit_status}",
        passed=evidence.exit_status == 0,
    )


def _recorded(evidence: Evidence) -> Verdict:
    """Hold the database against the chain, transaction by transaction."""
    recorded = {row.signature: row.state for row in evidence.attempts}
    chain = {each.signature: "landed" if each.is_ok else "failed" for each in evidence.ours}
    wrong = [
        f"{signature} {state} on chain, {recorded.get(signature, 'not')} recorded"
        for signature, state in chain.items()
        if recorded.get(signature) != state
    ]
    wrong += [
        f"{signature} recorded as {state} is not on chain"
        for signature, state in recorded.items()
        if state in {"landed", "failed"} and signature not in chain
    ]
    return Verdict(
        expected="the keeper's database says of each of its transactions what the chain says",
        seen=_listed(wrong, f"all {len(chain)} do"),
        passed=not wrong,
    )


def at_most(what: str, value: float | None, bound: float, unit: str, why: str = "") -> Verdict:
    """Judge a figure by an upper bound; one that there is none of is not good."""
    return Verdict(
        expected=f"{what} at most {written(bound)} {unit}".rstrip() + (f": {why}" if why else ""),
        seen=_number(value, unit),
        passed=value is not None and value <= bound,
    )


def at_least(what: str, value: float | None, bound: float, unit: str, why: str = "") -> Verdict:
    """Judge a figure by a lower bound; one that there is none of is not good."""
    return Verdict(
        expected=f"{what} at least {written(bound)} {unit}".rstrip() + (f": {why}" if why else ""),
        seen=_number(value, unit),
        passed=value is not None and value >= bound,
    )


def _number(value: float | None, unit: str) -> str:
    return "nothing of the kind" if value is None else f"{written(value)} {unit}".rstrip()


def _listed(found: Sequence[str], without: str) -> str:
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return "; ".join(found[:_LISTED]) + more if found else without
