"""What every stress run is held to, whatever its load.

Core.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence

from solders.pubkey import Pubkey

from keeper.drills.alarm_verdict import OF_THE_MACHINE
from keeper.stress import measures
from keeper.stress.evidence import Evidence
from keeper.stress.model import Verdict, written
from programs.event_layout import EventKind

_LISTED = 3


def sound(evidence: Evidence) -> tuple[Verdict, ...]:
    """Judge what no load excuses: nothing twice, nothing unrecorded, nothing open, the books in order."""
    return tuple(_sound(evidence))


def _sound(evidence: Evidence) -> Iterator[Verdict]:
    repeats = [f"{each.job} {each.effect}" for each in evidence.repeats]
    yield Verdict(
        expected="no effect lands twice, says the keeper's database",
        seen=_listed(repeats, "none did"),
        passed=not repeats,
    )
    again = [*_steps_again(evidence), *_sold_again(evidence)]
    yield Verdict(
        expected="no step of a chain runs twice, and nothing is liquidated twice on one sight of it, say the chain's events",
        seen=_listed(again, "nothing did"),
        passed=not again,
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


def _steps_again(evidence: Evidence) -> Iterator[str]:
    steps = Counter(
        (str(event.address("chain")), event.amount("step"))
        for each in evidence.landings
        for event in each.events
        if event.kind is EventKind.CHAIN_STEPPED
    )
    for (chain, step), times in steps.items():
        if times > 1:
            yield f"step {step} of {chain} ran {times} times"


def _sold_again(evidence: Evidence) -> Iterator[str]:
    """Yield positions that two of the keeper's transactions sold, both signed before either had landed."""
    signed = {row.signature: row.created_slot for row in evidence.attempts}
    sales: defaultdict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for each in evidence.ours:
        for event in each.events:
            if event.kind is EventKind.POSITIONS_LIQUIDATED:
                for record in event.records:
                    sold = bytes(record["position"])
                    sales[sold].append((each.slot, signed.get(each.signature, each.slot)))
    for position, found in sales.items():
        for (first_slot, _), (slot, created_slot) in itertools.pairwise(sorted(found)):
            if created_slot < first_slot:
                yield (
                    f"{Pubkey.from_bytes(position)} was sold in slots {first_slot} and {slot}, "
                    f"the second signed in slot {created_slot}"
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


def fair(
    evidence: Evidence,
    slots_max: float,
    *,
    flooded: Collection[str] = (),
    busy: Collection[str] = ("prices",),
) -> Verdict:
    """Judge whether a flood in one lane starves another: how long work of every other lane took from due to landed.

    Args:
        evidence: of the run.
        slots_max: at most so many slots in 99 of 100 cases, in every lane that had work.
        flooded: lanes that the load is meant to fill; they are not held to it.
        busy: lanes that must have had work, else there was nothing to starve.
    """
    taken = {
        lane: measures.keeper_latency(evidence, lane, 99.0)
        for lane in measures.lanes(evidence)
        if lane not in flooded
    }
    late = [lane for lane, slots in taken.items() if slots is None or slots > slots_max]
    whose = (
        f"while {' and '.join(sorted(flooded))} are flooded, in every other"
        if flooded
        else "in every"
    )
    return Verdict(
        expected=f"due to landed p99 at most {written(slots_max)} slots {whose} lane: none waits for another",
        seen=", ".join(f"{lane} {written(slots)}" for lane, slots in taken.items())
        or "no lane had work",
        passed=set(busy) <= taken.keys() and not late,
    )


def woken(fired: Sequence[str], allowed: Collection[str]) -> Verdict:
    """Judge whether the right people were woken: a rule that fires where nothing is wrong teaches them to sleep through it.

    Args:
        fired: rules of the monitor, in order.
        allowed: what the load sets off rightly; a busy machine may set off the rules about itself besides.
    """
    wrong = [rule for rule in dict.fromkeys(fired) if rule not in {*allowed, *OF_THE_MACHINE}]
    rightly = f" but {' and '.join(sorted(allowed))}" if allowed else ""
    return Verdict(
        expected=f"no alarm goes off{rightly}",
        seen=_listed(wrong, "none did"),
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
