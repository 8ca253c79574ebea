"""The lanes of a run: one for each kind of work, with a payer, caps and places of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.config import KeysConfig
from keeper.execute import Kit, Lane, open_lane
from keeper.funds import Funds
from keeper.keypair import load_keypair
from keeper.lane_config import LaneConfig, LanesConfig
from keeper.spend import DAY_MINUTES, SpentRow, age_minutes
from programs.units import Lamports, Slot

_MINUTE_S: Final = 60.0
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Every lane."""

    prices: Lane
    liquidations: Lane
    chains: Lane
    payouts: Lane
    tables: Lane
    """Address lookup tables."""
    posting: Lane
    """The payouts lane once more, its places and its purse, signing as whoever may post reward roots."""

    def __iter__(self) -> Iterator[Lane]:
        return iter((self.prices, self.liquidations, self.chains, self.payouts, self.tables))

    @property
    def payers(self) -> tuple[Funds, ...]:
        """Everyone who pays, once each, in the order of the lanes."""
        return tuple({lane.funds.address: lane.funds for lane in self}.values())


def key_file(config: LaneConfig, keys: KeysConfig) -> Path:
    """Return whose keypair pays for a lane."""
    return keys.keeper if config.key is None else config.key


def open_lanes(
    kit: Kit,
    config: LanesConfig,
    keeper: Keypair,
    keeper_file: Path | None = None,
    *,
    incentives_authority: Path | None = None,
) -> Lanes:
    """Open every lane; one without a key of its own is paid by the keeper's, and lanes with one key share its funds.

    Args:
        incentives_authority: keypair file of who posts reward roots; None: who pays for payouts.

    Raises:
        KeypairError: a lane's key file cannot be used.
    """
    payers: dict[Pubkey, Funds] = {}

    def one(name: str, lane: LaneConfig, signers: tuple[Keypair, ...] = ()) -> Lane:
        payer = keeper if lane.key is None else load_keypair(lane.key)
        funds = payers.setdefault(
            payer.pubkey(),
            Funds(
                payer.pubkey(),
                keeper_file if lane.key is None else lane.key,
                low_lamports=Lamports(config.balance_low_lamports),
            ),
        )
        funds.lanes.append(name)
        return open_lane(
            kit,
            name,
            payer,
            lane.purse(),
            concurrency=lane.concurrency,
            signers=signers,
            funds=funds,
        )

    lanes = {
        # The program takes prices from the oracle authority only, whoever pays for them.
        "prices": one("prices", config.prices, (keeper,)),
        "liquidations": one("liquidations", config.liquidations),
        "chains": one("chains", config.chains),
        "payouts": one("payouts", config.payouts),
        "tables": one("tables", config.tables),
    }
    payouts = lanes["payouts"]
    authority = (
        payouts.payer if incentives_authority is None else load_keypair(incentives_authority)
    )
    posting = replace(payouts, signers=() if authority == payouts.payer else (authority,))
    return Lanes(**lanes, posting=posting)


def day_before(slot: Slot, *, slot_ms: int, wall_ms: Callable[[], int]) -> tuple[int, int]:
    """Return since which minute, and since which slot, what was spent may still count."""
    minute = wall_ms() // _MINUTE_MS - DAY_MINUTES - 1
    return minute, max(0, slot - (DAY_MINUTES + 1) * _MINUTE_MS // slot_ms)


def count_spent(lanes: Lanes, rows: Sequence[SpentRow], slot: Slot) -> None:
    """Count what an earlier process spent as if this one had: a restart is no way round a cap."""
    now_s = trio.current_time()
    by_name = {lane.name: lane for lane in lanes}
    for row in rows:
        if (lane := by_name.get(row.lane)) is None:
            continue  # a lane of another release
        age = age_minutes(
            signed_minute=row.signed_minute,
            signed_slot=row.created_slot,
            minute=lane.kit.wall_ms() // _MINUTE_MS,
            slot=slot,
            slot_ms=lane.kit.slot_ms,
        )
        lane.purse.spend.reserve(Lamports(row.lamports), now_s - age * _MINUTE_S)


def spend_json(lanes: Lanes) -> dict[str, Any]:
    """Return what each lane has spent, of how much, and what its payer has left."""
    now_s = trio.current_time()
    return {lane.name: _spend_of(lane, now_s) for lane in lanes}


def _spend_of(lane: Lane, now_s: float) -> dict[str, Any]:
    purse = lane.purse
    found: dict[str, Any] = {}
    for period, window in purse.spend:
        found[f"{period}_lamports"] = window.spent_lamports(now_s)
        found[f"{period}_max_lamports"] = window.max_lamports
    found["hour_loss_lamports"] = purse.losses.spent_lamports("hour", now_s)
    found["bid_level_bps"] = purse.feedback.level_bps
    found["payer"] = str(lane.funds.address)
    found["balance_lamports"] = lane.funds.balance_lamports
    return found
