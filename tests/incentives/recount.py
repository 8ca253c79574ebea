"""What SPEC.md section 7 says is owed, counted a second time: slowly, with fractions, from a flat list of events.

Written from the specification and the decisions in docs/incentives.md, not from incentives/rules, and sharing no code with it
but the decoders of events and of what stands for them. Nothing is incremental here: every wallet's epoch is looked up in the whole list.
"""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from types import SimpleNamespace

from incentives.unread import Unread, is_unread
from programs.event_layout import EventKind
from programs.events import decode

MMT = 10**9
QUOTE = 10**6
BUDGET = 10_000_000 * MMT


@dataclass(frozen=True)
class Terms:
    """One version of the rules; the values of SPEC.md."""

    from_epoch: int = 0
    least: int = 100 * QUOTE
    most: int = 10_000 * QUOTE
    mmt_per_dollar: Fraction = Fraction(1, 100)
    mining_rate: Fraction = Fraction(1, 1_000)
    boosted: int = 100
    trade_factor: int = 2
    maker_factor: int = 2
    mining_factor: int = 2
    improvement_least: int = 1


MINING_SLOTS = 432_000


@dataclass(frozen=True)
class Season:
    """A flat list of (slot, event), and what it is counted under."""

    told: list
    start: int
    end: int
    numbered: dict
    """Trade number -> slot."""
    epoch_slots: int
    dwell: int
    versions: tuple

    def epoch_of(self, slot):
        return (slot - self.start) // self.epoch_slots

    def terms_at(self, slot):
        return [each for each in self.versions if each.from_epoch <= self.epoch_of(slot)][-1]

    def is_early(self, slot, terms):
        return slot <= self.numbered.get(terms.boosted, 10**18)


def recount(sourced, through_slot, *, epoch_slots=9_000, dwell=150, versions=(Terms(),)):
    """Return {epoch: {wallet: base units}} for every epoch that ends by `through_slot`."""
    told = [(each.place.slot, read(each.payload)) for each in sourced]
    genesis = next(event for _, event in told if event.kind is EventKind.INITIALIZED)
    start = genesis.amount("season_start_slot")
    numbered = numbers(told)
    end = start + genesis.amount("season_slots")
    season = Season(told, start, end, numbered, epoch_slots, dwell, versions)
    claims = defaultdict(lambda: defaultdict(Fraction))
    for number, (_, event) in enumerate(told):
        if event.kind is EventKind.POSITION_OPENED:
            found = trade_claims(season, number)
        elif event.kind is EventKind.LIQUIDITY_ADDED:
            found = deposit_claims(season, number, through_slot)
        else:
            continue
        for slot, mmt in found:
            if slot < season.end:
                claims[season.epoch_of(slot)][event.address("owner")] += mmt * MMT
    return share_out(claims, season.start, season.end, epoch_slots, through_slot)


def read(payload):
    """An event, or the instruction that stands for those that nobody could read."""
    if not is_unread(payload):
        return decode(payload)
    unread = Unread.from_payload(payload)
    return SimpleNamespace(kind=unread.tag.name, series=unread.series, fields={}, unread=unread)


def numbers(told):
    """Trade number -> slot. Numbers that nobody read hold from the slot in which they are known to be taken."""
    taken, chains = [], 0
    for slot, event in told:
        if event.kind == "OPEN_POSITION" and event.unread.amount >= 100 * QUOTE:
            taken += [slot] if len(taken) < 100 else []
        elif event.kind == "EXECUTE_CHAIN":
            chains += 1
        elif event.kind is EventKind.POSITION_OPENED and not event.amount("holding"):
            number = event.amount("trade_number")
            if not number and event.amount("notional") >= 100 * QUOTE and chains:
                number = 100 if 100 - len(taken) <= chains else 0
            if number:
                taken += [slot] * (number - len(taken))
                chains = 0
    return dict(enumerate(taken, 1))


def trade_claims(season, number):
    """Yield (qualifying slot, MMT) of an open."""
    slot, event = season.told[number]
    terms = season.terms_at(slot)
    if event.amount("holding") or event.amount("notional") < terms.least:
        return
    left = shares_held(season, number)
    counted = floor(Fraction(event.amount("notional") * left, event.amount("shares")))
    if counted >= terms.least:
        is_boosted = 1 <= event.amount("trade_number") <= terms.boosted
        dollars = Fraction(min(counted, terms.most), QUOTE)
        factor = terms.trade_factor if is_boosted else 1
        yield slot + season.dwell, dollars * terms.mmt_per_dollar * factor


def shares_held(season, number):
    """Return what is left of a position when it qualifies; nothing comes back once it is gone."""
    slot, event = season.told[number]
    position, left = event.address("position"), event.amount("shares")
    for at, other in season.told[number + 1 :]:
        if at >= slot + season.dwell or left <= 0:
            break
        if isinstance(other.kind, str):
            left -= unread_loss(other.unread, event, left)
        elif other.kind is EventKind.POSITIONS_LIQUIDATED:
            for record in other.records:
                if record["position"] == position:
                    left -= record["shares_sold"] + record["shares_to_inventory"]
        elif other.fields.get("position") == position and other.fields.get("holding") == 0:
            if other.kind is EventKind.POSITION_CLOSED:
                left = other.amount("shares_left")
            elif other.kind is EventKind.POSITION_REDEEMED:
                left = 0
    return max(left, 0)


def unread_loss(unread, opened, left):
    """Shares that an unread instruction takes: what its data says, or all that its signer may have liquidated of their own."""
    if bytes(opened.address("position")) in unread.targets and unread.tag.name == "LIQUIDATE":
        return left if unread.signer == bytes(opened.address("owner")) else 0
    if unread.account != bytes(opened.address("position")) or unread.part:
        return 0
    return {"CLOSE_POSITION": min(unread.amount, left), "REDEEM": left}.get(unread.tag.name, 0)


def deposit_claims(season, number, through_slot):
    """Yield (slot from which it counts, MMT) of a deposit: once for the maker, and of every slot that it is there."""
    slot, event = season.told[number]
    held, terms = liquidity_held(season.told, number), season.terms_at(slot)
    qualifies = slot + season.dwell
    if not held(qualifies - 1) or qualifies >= season.end:
        return

    def value_at(at):
        share = Fraction(event.amount("value") * held(at), event.amount("liquidity_added"))
        return Fraction(floor(share), QUOTE)

    if event.amount("improvement_bps") >= terms.improvement_least:
        factor = terms.maker_factor if season.is_early(slot, terms) else 1
        improved = value_at(qualifies - 1) * event.amount("improvement_bps") / 10_000
        yield qualifies, improved * terms.mmt_per_dollar * factor
    for at in range(slot, min(season.end, through_slot + 1)):
        # What left before it qualified never counted, not even for its first slots.
        value = value_at(max(at, qualifies - 1))
        if not value:
            break
        then = season.terms_at(at)
        factor = then.mining_factor if season.is_early(at, then) else 1
        yield max(at, qualifies), value * then.mining_rate * factor / MINING_SLOTS


def liquidity_held(told, number):
    """Return a function of the slot: how much of a deposit is there at its end; removals take the newest first."""
    _, ours = told[number]
    stack, steps, of_chain = [], [], {}
    """[number, left] of this maker's deposits in this pool, the oldest first; (slot, left of ours); number -> chain."""
    for index, (at, other) in enumerate(told):
        is_same = all(
            (
                other.series == ours.series,
                *(other.fields.get(name) == ours.fields[name] for name in ("pool", "owner")),
            )
        )
        if other.kind is EventKind.LIQUIDITY_ADDED and is_same:
            stack.append([index, other.amount("liquidity_added")])
        elif other.kind is EventKind.LIQUIDITY_REMOVED and is_same:
            take_newest(stack, other.amount("liquidity_removed"))
        elif other.kind is EventKind.CHAIN_STEPPED and other.amount("kind") == 1:
            of_chain[index - 1] = bytes(other.address("chain"))
        elif other.kind in {EventKind.MARKET_RESOLVED, "RESOLVE_MARKET"} and (
            other.series == ours.series
        ):
            stack.clear()
        elif other.kind == "CANCEL_CHAIN":
            stack = [each for each in stack if of_chain.get(each[0]) != other.unread.account]
        elif other.kind == "REMOVE_LIQUIDITY" and is_of_maker(other, ours):
            makers = sum(left for of, left in stack if of not in of_chain)
            take_newest(stack, makers if other.unread.amount == 2**64 - 1 else other.unread.amount)
        else:
            continue
        steps.append((at, next((left for of, left in stack if of == number), 0)))
    slots = [at for at, _ in steps]
    return lambda at: steps[bisect_right(slots, at) - 1][1] if bisect_right(slots, at) else 0


def is_of_maker(other, ours):
    unread = other.unread
    return (unread.series, unread.part, unread.signer) == (
        ours.series,
        ours.amount("pool"),
        bytes(ours.address("owner")),
    )


def take_newest(stack, removed):
    while removed and stack:
        taken = min(removed, stack[-1][1])
        stack[-1][1] -= taken
        removed -= taken
        if not stack[-1][1]:
            stack.pop()


def share_out(claims, start, end, epoch_slots, through_slot):
    """Return what each wallet gets of each closed epoch's pot."""
    owed, left, epoch = {}, 0, 0
    while start + epoch * epoch_slots < end:
        first = start + epoch * epoch_slots
        last = min(end, first + epoch_slots)
        if last > through_slot + 1:
            break
        emitted = floor(Fraction(BUDGET * (last - start), end - start)) - floor(
            Fraction(BUDGET * (first - start), end - start)
        )
        pot = left + emitted
        whole = {wallet: floor(exact) for wallet, exact in claims[epoch].items()}
        total = sum(whole.values())
        if total > pot:
            exact = {wallet: Fraction(each * pot, total) for wallet, each in whole.items()}
            whole = {wallet: floor(each) for wallet, each in exact.items()}
            order = sorted(exact, key=lambda wallet: (whole[wallet] - exact[wallet], bytes(wallet)))
            for wallet in order[: pot - sum(whole.values())]:
                whole[wallet] += 1
        owed[epoch] = {str(wallet): each for wallet, each in whole.items() if each}
        left = pot - sum(whole.values())
        epoch += 1
    return owed
