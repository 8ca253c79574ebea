"""incentives/rules: what holds of every history."""

from collections import Counter
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incentives.emission import emitted_by
from incentives.lines import Code, EpochClose, EventLine, Transfer
from incentives.rules.errors import RulebookError
from incentives.rules.formulas import CLAIM_DENOMINATOR, mining_claim, share_out
from incentives.rules.rulebook import Rulebook
from programs.events import decode
from programs.genesis import SINK_MMT, TREASURY_MMT
from tests.incentives.invented_history import PARAMETERS, SEASON_SLOTS, cut_histories, histories

LAST_SLOT = 1_600


def fold(events, parameters=PARAMETERS, to=LAST_SLOT):
    rulebook = Rulebook(parameters)
    lines = [line for event in events for line in rulebook.take(event)]
    return lines + list(rulebook.pass_slot(to))


@given(
    st.one_of(histories, cut_histories),
    st.lists(st.booleans(), min_size=95),
    st.lists(st.integers(0, 40), min_size=95),
)
@settings(deadline=None, max_examples=25)
def test_lines_do_not_depend_on_how_events_are_delivered_or_where_the_fold_is_restarted(
    events, restarts, waits
):
    rulebook = Rulebook(PARAMETERS)
    lines = []
    for event, restart, wait in zip(events, restarts, waits, strict=False):
        known = min(
            event.place.slot - 1, (lines[-1].event.place.slot if _is_event(lines) else 0) + wait
        )
        lines += rulebook.pass_slot(known)
        lines += rulebook.take(event)
        with pytest.raises(RulebookError):  # once more
            list(rulebook.take(event))
        if restart:
            text = rulebook.to_json()
            rulebook = Rulebook.from_json(text, PARAMETERS)
            assert text == rulebook.to_json()
    for slot in range(events[-1].place.slot, LAST_SLOT + 1, 13):
        lines += rulebook.pass_slot(slot)
    lines += rulebook.pass_slot(LAST_SLOT)
    assert lines == fold(events)


def _is_event(lines):
    return bool(lines) and isinstance(lines[-1], EventLine)


@given(histories, st.integers(0, 60))
@settings(deadline=None, max_examples=15)
def test_lines_are_only_ever_appended(events, cut):
    whole = fold(events)
    first = events[: cut + 1]
    prefix = fold(first, to=first[-1].place.slot - 1)  # others may follow in its slot
    assert whole[: len(prefix)] == prefix


@given(st.one_of(histories, cut_histories))
@settings(deadline=None, max_examples=25)
def test_every_sum_is_zero_and_nothing_but_mint_and_pot_is_ever_overdrawn(events):
    sums = Counter()
    for line in fold(events):
        if isinstance(line, Transfer):
            assert 0 < line.amount < 2**63
            sums[line.debit] -= line.amount
            sums[line.credit] += line.amount
            assert line.debit in {"mint", "pot"} or sums[line.debit] >= 0
    assert not sum(sums.values())
    assert sums["sink"] == SINK_MMT
    assert sums["mint"] == -SINK_MMT - TREASURY_MMT


@given(histories)
@settings(deadline=None, max_examples=15)
def test_a_close_leaves_no_accrual_and_its_parts_are_the_claims_or_the_whole_pot(events):
    sums = Counter()
    lines = fold(events)
    closes = [i for i, line in enumerate(lines) if isinstance(line, EpochClose)]
    assert [lines[i].epoch for i in closes] == list(range(len(closes)))
    for line, (is_last_of_close, close) in zip(lines, _of_closes(lines), strict=True):
        if isinstance(line, Transfer):
            sums[line.debit] -= line.amount
            sums[line.credit] += line.amount
        if not is_last_of_close:
            continue
        parts = sum(one.amount for one in close.allocations)
        claims = sum(one.claim_numerator // close.claim_denominator for one in close.allocations)
        pot = close.rolled_over + close.emitted
        assert parts == min(claims, pot)
        assert close.is_scaled == (claims > pot)
        assert all(
            one.amount * CLAIM_DENOMINATOR <= one.claim_numerator for one in close.allocations
        )
        assert not any(left for account, left in sums.items() if account.endswith("/accrued"))
        left = sums["pot"] if close.end_slot < 1_000 + SEASON_SLOTS else sums["unspent"]
        assert left == pot - parts
        assert TREASURY_MMT - sums["season"] == emitted_by(close.end_slot, 1_000, SEASON_SLOTS)


def _of_closes(lines):
    """For each line: is it the last of a close, and which."""
    close = None
    for i, line in enumerate(lines):
        if isinstance(line, EpochClose):
            close = line
        of_it = close is not None and _is_of(line, close)
        last = of_it and (i + 1 == len(lines) or not _is_of(lines[i + 1], close))
        yield last, close


def _is_of(line, close):
    return line is close or (isinstance(line, Transfer) and line.cause == f"epoch:{close.epoch}")


@given(histories)
@settings(deadline=None, max_examples=15)
def test_what_a_wallet_mines_is_the_sum_over_slots_of_the_value_that_is_there(events):
    slots = _slot_by_slot(events)
    mined = {
        (line.epoch, line.credit, line.rules_version): line.amount
        for line in fold(events)
        if isinstance(line, Transfer) and line.code is Code.MINING
    }
    assert mined == {key: amount for key, amount in slots.items() if amount}


def _slot_by_slot(events):
    """Mine again, the slow way: look at every slot of every deposit."""
    numbered = [e.place.slot for e in events if decode(e.payload).fields.get("trade_number")]
    claims = Counter()
    for wallet, start, value_at in _deposits(events):
        qualifies = start + PARAMETERS.dwell_slots
        if not value_at(qualifies - 1):
            continue
        for slot in range(start, 1_000 + SEASON_SLOTS):
            epoch = (slot - 1_000) // PARAMETERS.epoch_slots
            version = PARAMETERS.version_at(epoch)
            rules = PARAMETERS.rules(version)
            value = value_at(max(slot, qualifies - 1))
            is_first = (
                len(numbered) < rules.boosted_trades or slot <= numbered[rules.boosted_trades - 1]
            )
            paid_in = max(epoch, (qualifies - 1_000) // PARAMETERS.epoch_slots)
            claims[paid_in, f"wallet/{wallet}/accrued", version] += mining_claim(
                value, value if is_first else 0, rules
            )
    return {key: claim // CLAIM_DENOMINATOR for key, claim in claims.items()}


def _deposits(events):
    """Each deposit that can count: wallet, slot, and its value at the end of any slot."""
    stacks = {}
    for event in events:
        told, slot = decode(event.payload), event.place.slot
        of_market = [stack for key, stack in stacks.items() if key[0] == told.series]
        match told.kind.name:
            case "MARKET_RESOLVED":
                for one in (one for stack in of_market for one in stack):
                    one.held_since.append((slot, 0))
            case "LIQUIDITY_ADDED" if slot + PARAMETERS.dwell_slots < 1_000 + SEASON_SLOTS:
                stacks.setdefault((told.series, told.address("owner")), []).append(
                    _Held(told, slot)
                )
            case "LIQUIDITY_REMOVED":
                left = told.amount("liquidity_removed")
                for one in reversed(stacks.get((told.series, told.address("owner")), [])):
                    left -= one.remove(slot, left)
    for (_, wallet), stack in stacks.items():
        for one in stack:
            yield wallet, one.held_since[0][0], one.value_at


class _Held:
    """A deposit, and how much of it there was since when."""

    def __init__(self, told, slot):
        self.liquidity, self.value = told.amount("liquidity_added"), told.amount("value")
        self.held_since = [(slot, self.liquidity)]

    def remove(self, slot, most):
        held = self.held_since[-1][1]
        self.held_since.append((slot, held - min(most, held)))
        return min(most, held)

    def value_at(self, slot):
        held = [held for since, held in self.held_since if since <= slot][-1]
        return self.value * held // self.liquidity


claims = st.dictionaries(st.binary(min_size=2, max_size=2), st.integers(0, 10**18), max_size=20)


@given(claims, st.integers(-5, 10**18))
def test_shares_are_the_claims_or_sum_to_the_pot_and_none_exceeds_its_claim(found, pot):
    listed = sorted(found.items())
    shares = share_out(pot, listed)
    assert sum(shares) == min(max(pot, 0), sum(found.values()))
    assert all(0 <= share <= claim for share, (_, claim) in zip(shares, listed, strict=True))
    backwards = share_out(pot, listed[::-1])
    assert shares == backwards[::-1]


@given(st.sets(st.binary(min_size=2, max_size=2), min_size=2), st.integers(1, 10**6), st.data())
def test_what_equal_claims_leave_goes_to_the_first_wallets_by_bytes(wallets, claim, data):
    listed = [(wallet, claim) for wallet in sorted(wallets)]
    shares = share_out(data.draw(st.integers(0, claim * len(listed) - 1)), listed)
    assert [share for share, _ in groupby(shares)] == sorted(set(shares), reverse=True)
    assert max(shares) - min(shares) <= 1
