"""Why an amount is what it is: the formula of one transfer, its inputs in words, and the amount computed again.

Core.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from incentives.amounts import in_mmt, in_words
from incentives.emission import emitted_between
from incentives.lines import Code, Transfer
from incentives.parameters import Parameters, Rules
from incentives.rules.formulas import (
    CLAIM_DENOMINATOR,
    counted_notional,
    maker_claim,
    mining_claim,
    part_held,
    trade_claim,
)
from incentives.sourced import SourcedEvent
from incentives.unread import is_unread
from programs.events import Event, decode
from programs.units import QUOTE_DECIMALS, Slot

Inputs = tuple[tuple[str, str], ...]
"""Names in words, and values as an operator reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One transfer, explained."""

    sentence: str
    """What happened and which rule it follows."""
    formula: str
    """In the names of the inputs; empty where the amount is a fact of the chain."""
    inputs: Inputs = ()
    recomputed: int | None = None
    """MMT base units, from event and parameters alone; None where other transfers decide too."""


class NotExplainedError(ValueError):
    """The transfer's event is missing or another's; one sentence says which."""


def explain(transfer: Transfer, event: SourcedEvent | None, parameters: Parameters) -> Explanation:
    """Explain a transfer.

    Args:
        event: the one that caused it; None for what a close did.

    Raises:
        NotExplainedError: the event is not the transfer's cause.
        MalformedEventError: its payload is no event.
    """
    if transfer.cause.startswith("epoch:"):
        return _OF_CLOSES[transfer.code](transfer, parameters)
    if event is None or event.source_id != transfer.cause:
        found = "no event" if event is None else event.source_id
        raise NotExplainedError(
            f"found {found}, expected event {transfer.cause}: read it from the ledger"
        )
    if is_unread(event.payload):
        plain = _PLAIN[transfer.code](transfer)
        return replace(plain, sentence=f"{plain.sentence} {_UNREAD}")
    return _OF_EVENTS[transfer.code](transfer, decode(event.payload), parameters)


def _trade(transfer: Transfer, told: Event, parameters: Parameters) -> Explanation:
    rules = parameters.rules(transfer.rules_version)
    notional, shares, number = (told.amount(n) for n in ("notional", "shares", "trade_number"))
    held = int((transfer.inputs or {}).get("held_shares", shares))
    is_boosted = 1 <= number <= rules.boosted_trades
    multiplier = rules.trade_multiplier if is_boosted else 1
    counted = counted_notional(part_held(notional, held, shares), rules)
    numbered = f", times {multiplier} as trade number {number} of the first {rules.boosted_trades}"
    return Explanation(
        sentence=(
            f"A trade of {_usd(notional)}, held for {parameters.dwell_slots} slots, earns {_rate(rules)} "
            f"of the {_usd(counted)} that count{numbered if is_boosted else ''}."
        ),
        formula="floor(counted notional * reward rate * multiplier)",
        inputs=(
            ("notional", _usd(notional)),
            ("shares bought", str(shares)),
            ("shares held at the qualifying slot", str(held)),
            (
                "counted notional",
                f"{_usd(counted)}: of the part held, at most {_usd(rules.notional_max)}",
            ),
            *_common(transfer, told, rules, multiplier),
        ),
        recomputed=trade_claim(counted, multiplier, rules) // CLAIM_DENOMINATOR,
    )


def _maker(transfer: Transfer, told: Event, parameters: Parameters) -> Explanation:
    rules = parameters.rules(transfer.rules_version)
    value, added, bps = (told.amount(n) for n in ("value", "liquidity_added", "improvement_bps"))
    held = int((transfer.inputs or {}).get("held_liquidity", added))
    is_early = transfer.code is Code.MAKER_BOOSTED
    multiplier = rules.maker_multiplier if is_early else 1
    counted = part_held(value, held, added)
    early = f", times {multiplier} as a deposit of the bootstrap"
    return Explanation(
        sentence=(
            f"A deposit worth {_usd(value)}, held for {parameters.dwell_slots} slots, made the pool {bps} bps better and "
            f"earns that part of {_rate(rules)} of the {_usd(counted)} that count{early if is_early else ''}."
        ),
        formula="floor(counted value * improvement / 10_000 * reward rate * multiplier)",
        inputs=(
            ("value added", _usd(value)),
            ("liquidity added", str(added)),
            ("liquidity held at the qualifying slot", str(held)),
            ("counted value", _usd(counted)),
            ("improvement", f"{bps} bps"),
            *_common(transfer, told, rules, multiplier),
        ),
        recomputed=maker_claim(counted, bps, multiplier, rules) // CLAIM_DENOMINATOR,
    )


def _common(transfer: Transfer, told: Event, rules: Rules, multiplier: int) -> Inputs:
    return (
        ("reward rate", _rate(rules)),
        ("multiplier", str(multiplier)),
        ("slot", str(told.slot)),
        ("qualifying slot", f"{transfer.slot}, in epoch {transfer.epoch}"),
        ("rules version", str(transfer.rules_version)),
    )


def _mining(transfer: Transfer, parameters: Parameters) -> Explanation:
    rules = parameters.rules(transfer.rules_version)
    inputs = transfer.inputs or {}
    value_slots = int(inputs.get("value_slots", 0))
    first = int(inputs.get("bootstrap_value_slots", 0))
    return Explanation(
        sentence=(
            f"The wallet's liquidity, its value added up over the slots that count in epoch {transfer.epoch}, "
            f"mines {in_words(rules.mining_rate_ppm, 6)} MMT per quote unit and 432_000 slots; "
            f"slots of the bootstrap count {rules.mining_multiplier} times."
        ),
        formula="floor((value-slots + (multiplier - 1) * value-slots of the bootstrap) * mining rate / 432_000)",
        inputs=(
            ("value-slots", f"{in_words(value_slots, QUOTE_DECIMALS)} quote units times slots"),
            ("value-slots of the bootstrap", in_words(first, QUOTE_DECIMALS)),
            ("mining rate", f"{in_words(rules.mining_rate_ppm, 6)} MMT per quote unit"),
            ("multiplier", str(rules.mining_multiplier)),
            ("rules version", str(transfer.rules_version)),
        ),
        recomputed=mining_claim(value_slots, first, rules) // CLAIM_DENOMINATOR,
    )


def _emission(transfer: Transfer, _parameters: Parameters) -> Explanation:
    names = ("season_start_slot", "season_slots", "start_slot", "end_slot")
    start, slots, first, last = (int((transfer.inputs or {}).get(name, 0)) for name in names)
    return Explanation(
        sentence=f"Epoch {transfer.epoch} adds to the pot what the season emits over its slots.",
        formula="E(end) - E(start), E(s) = floor(budget * (s - season start) / season slots)",
        inputs=(
            ("start", f"slot {first}"),
            ("end", f"slot {last}, exclusive"),
            ("season", f"{slots} slots from slot {start}"),
        ),
        recomputed=emitted_between(Slot(first), Slot(last), Slot(start), slots) if slots else None,
    )


def _rounding(transfer: Transfer, _parameters: Parameters) -> Explanation:
    return Explanation(
        sentence=(
            f"The wallet's claims of epoch {transfer.epoch} are added up exactly and rounded down once; "
            "each of their transfers was rounded down by itself, and this is the difference."
        ),
        formula="floor(sum of exact claims) - sum of floor(claim)",
    )


def _scaling(transfer: Transfer, _parameters: Parameters) -> Explanation:
    inputs = transfer.inputs or {}
    words = {"claim": "the wallet's claim", "claims": "all claims", "pot": "the pot"}
    return Explanation(
        sentence=(
            f"All claims of epoch {transfer.epoch} exceed its pot, so each is cut to its share of the pot, "
            "whole base units by largest remainder."
        ),
        formula="claim - floor(pot * claim / all claims), less one base unit for the largest remainders",
        inputs=tuple(
            (word, _mmt(int(inputs[key]))) for key, word in words.items() if key in inputs
        ),
    )


def _plain(sentence: str) -> Callable[..., Explanation]:
    def told(transfer: Transfer, *_others: object) -> Explanation:
        return Explanation(
            sentence=sentence.format(epoch=transfer.epoch, amount=_mmt(transfer.amount)), formula=""
        )

    return told


_OF_CLOSES: Final[dict[Code, Callable[[Transfer, Parameters], Explanation]]] = {
    Code.EMISSION: _emission,
    Code.MINING: _mining,
    Code.ROUNDING: _rounding,
    Code.SCALING: _scaling,
    Code.ALLOCATION: _plain(
        "Epoch {epoch} closed: what is left of the wallet's claims, {amount}, is owed."
    ),
    Code.SEASON_END: _plain("The season is over: {amount} of its budget was earned by nobody."),
}
_PLAIN: Final[dict[Code, Callable[..., Explanation]]] = {
    Code.ROOT: _plain("A root of epoch {epoch} that owes the wallet {amount} was posted on chain."),
    Code.PAYOUT: _plain("The program paid the wallet's leaf of epoch {epoch}: {amount}."),
    Code.FOREIGN_PAYOUT: _plain(
        "The program paid {amount} under a root that this ledger did not compute."
    ),
}
_UNREAD: Final = "The logs of its transaction are cut: this is by the instruction's data and what it transferred."
_OF_EVENTS: Final[dict[Code, Callable[[Transfer, Event, Parameters], Explanation]]] = {
    Code.GENESIS: _plain("Genesis minted {amount}, once and for all."),
    Code.TRADE: _trade,
    Code.TRADE_BOOSTED: _trade,
    Code.MAKER: _maker,
    Code.MAKER_BOOSTED: _maker,
    **_PLAIN,
}


def _usd(amount: int) -> str:
    return f"${in_words(amount, QUOTE_DECIMALS)}"


def _mmt(amount: int) -> str:
    return f"{in_mmt(amount)} MMT"


def _rate(rules: Rules) -> str:
    return f"{in_words(rules.trade_reward_ppm * 100, 6)} MMT per $100"
