"""One slot of the prices lane's decisions over 21_000 markets, a tenth of them with four outcomes.

    python -m bench.posting

Quiet: every price was heard again since the last slot, none of them is another one; polled every 2 s, one in five was.
Lively: one price in twenty moved. Target: at most 20 ms for a quiet slot, on one core.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import numpy as np
import structlog
import trio
from solders.pubkey import Pubkey

from bench.report.figure import Beside, Figure, Goal, tell
from keeper.agenda import Agenda, Outlook
from keeper.mirrors import following_of, mirrors_of
from keeper.posting import PostingRules, PublishSlots
from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, Reason, Source, TokenId
from keeper.snapshot import Snapshot, take_markets, take_positions
from keeper.tally import Tally
from programs.accounts import Global, Vault
from programs.layout import GLOBAL_DTYPE, MARKET_DTYPE, POOL_DTYPE, VAULT_DTYPE, AccountKind
from programs.units import PriceE6, Slot

MARKETS: Final = 21_000
OUTCOMES: Final = 4
ROUNDS: Final = 15
GOAL_MS = 20.0
START: Final = 1_000
_EVEN: Final = 1_000_000 // OUTCOMES
_SLOT_S: Final = 0.4
_LIVELY_ONE_IN: Final = 20
_HEARD_ONE_IN: Final = 5
_ADDRESS_BYTES: Final = 32


def _accounts() -> list[tuple[bytes, bytes]]:
    """Markets as they lie on chain, posted in the slot before."""
    draws = random.Random(1)
    accounts = []
    for number in range(MARKETS):
        pools = 1 if number % 10 else OUTCOMES
        row = np.zeros(1, np.dtype([("market", MARKET_DTYPE), ("pools", POOL_DTYPE, (pools,))]))
        market = row["market"]
        market["kind"], market["version"], market["pools"] = AccountKind.MARKET, 1, pools
        market["outcomes"], market["market_id"] = 2 if pools == 1 else pools, number
        market["publish_slot"] = market["price_update_slot"] = START - 1
        market["yes_token_or_hash"] = np.frombuffer(draws.randbytes(_ADDRESS_BYTES), "V32")
        row["pools"]["price_e6"] = 500_000 if pools == 1 else _EVEN
        accounts.append((draws.randbytes(_ADDRESS_BYTES), row.tobytes()))
    return accounts


def _singleton(dtype: np.dtype[np.void], kind: AccountKind) -> bytes:
    row = np.zeros(1, dtype)
    row["kind"], row["version"] = kind, 1
    return row.tobytes()


def _snapshot(accounts: list[tuple[bytes, bytes]], before: Snapshot | None) -> Snapshot:
    rows, addresses, _ = take_positions([])
    return Snapshot(
        slot=Slot(START),
        global_=Global.from_bytes(_singleton(GLOBAL_DTYPE, AccountKind.GLOBAL)),
        vault=Vault.from_bytes(_singleton(VAULT_DTYPE, AccountKind.VAULT)),
        markets=take_markets(accounts, None if before is None else before.markets)[0],
        positions=rows,
        addresses=addresses,
    )


def _hear(board: PriceBoard, prices: Iterable[Price]) -> None:
    for price in prices:
        board.publish(price)


async def _timed(
    prepare: Callable[[int], Outlook], agenda: Agenda, rounds: int
) -> tuple[list[float], int]:
    """Return the milliseconds of CPU of each slot, and how much is ready in the end."""
    took = []
    for number in range(rounds):
        outlook = prepare(number)
        started = time.process_time_ns()
        await agenda.review(outlook, lambda _address: False)
        took.append((time.process_time_ns() - started) / 1e6)
    return took, len(agenda.ready)


def _least_ms(tokens: int) -> float:
    """Return the milliseconds of CPU of comparing as many prices with what is posted, and nothing else; the least of some."""
    posted, heard = np.full(tokens, 500_000), np.full(tokens, 500_000)
    took = []
    for _ in range(ROUNDS):
        started = time.process_time_ns()
        np.flatnonzero(posted != heard)
        took.append((time.process_time_ns() - started) / 1e6)
    return min(took)


async def _main(as_json: bool) -> None:  # noqa: FBT001 - the one option
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    accounts = _accounts()
    snapshot = _snapshot(accounts, None)
    mirrors = mirrors_of(snapshot.markets)
    proven = {
        mirror.claim: tuple(TokenId(f"{mirror.number}{at}") for at in range(mirror.outcomes))
        for mirror in mirrors
        if mirror.own_token is None
    }
    following = following_of(mirrors, proven, {})
    outcomes_of: dict[TokenId, tuple[Pubkey, int]] = {
        token: (address, len(tokens))
        for address, tokens in following.tokens.items()
        for token in tokens
    }

    def priced(moved_e6: int = 0) -> list[Price]:
        now_s = trio.current_time()
        template = Price(
            token_id=TokenId(""),
            price_e6=PriceE6(0),
            band_e6=500,
            price_class=PriceClass.VALID,
            source=Source.STREAM,
            received_at_s=now_s,
            content_time_ms=None,
            reason=Reason.OK,
        )
        return [
            replace(
                template,
                token_id=token,
                price_e6=PriceE6((500_000 if count == 1 else _EVEN) + moved_e6),
            )
            for token, (_, count) in outcomes_of.items()
        ]

    board, rules = PriceBoard(), PostingRules()
    agenda = Agenda(tally=Tally(), publish_slots=PublishSlots(_SLOT_S))

    def outlook(number: int) -> Outlook:
        return Outlook(
            board=board,
            snapshot=snapshot,
            following=following,
            rules=rules,
            slot=Slot(START + number % 8),
        )

    def quiet(number: int) -> Outlook:
        _hear(board, priced())
        return outlook(number)

    def polled(number: int) -> Outlook:
        _hear(board, priced()[number % _HEARD_ONE_IN :: _HEARD_ONE_IN])
        return outlook(number)

    def scanned(number: int) -> Outlook:
        nonlocal snapshot
        snapshot = _snapshot(accounts, snapshot)
        return quiet(number)

    def lively(number: int) -> Outlook:
        moved = priced(3_000 if number % 2 else 0)[number % _LIVELY_ONE_IN :: _LIVELY_ONE_IN]
        _hear(board, moved)
        return outlook(number)

    limit = Beside(name="comparing as many prices in two arrays", value=_least_ms(len(outcomes_of)))
    figures: list[Figure] = []
    first_ms: float | None = None
    for name, prepare, rounds in (
        ("first, all are new", quiet, 1),
        ("second", quiet, 1),  # on a busy machine the first took so long that its readings are old
        ("quiet", quiet, ROUNDS),
        ("quiet, polled every 2 s", polled, ROUNDS),
        ("quiet, with a new scan", scanned, ROUNDS),
        ("lively", lively, ROUNDS),
    ):
        took_ms, ready = await _timed(prepare, agenda, rounds)
        is_quiet = name == "quiet"
        figures.append(
            Figure(
                name=f"a slot's decisions over {MARKETS:,} markets ({len(outcomes_of):,} tokens), {name}; {ready:,} to post",
                unit="ms",
                runs=tuple(took_ms),
                goal=Goal(value=GOAL_MS, source="issue 5")
                if name in {"quiet", "quiet, polled every 2 s"}
                else None,
                baseline=Beside(name="every market decided anew", value=first_ms)
                if first_ms is not None
                else None,
                limit=limit,
                claim="markets" if is_quiet else "",
            )
        )
        first_ms = took_ms[0] if first_ms is None else first_ms
    tell("posting", figures, as_json=as_json)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.posting", description=__doc__)
    parser.add_argument("--json", action="store_true")
    trio.run(_main, parser.parse_args().json)
