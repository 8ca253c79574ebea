"""The lanes of a run: one for each kind of work, with a payer, caps and places of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

from solders.keypair import Keypair

from keeper.config import LaneConfig, LanesConfig
from keeper.execute import Kit, Lane, open_lane
from keeper.keypair import load_keypair


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Every lane."""

    prices: Lane
    liquidations: Lane
    chains: Lane
    payouts: Lane
    tables: Lane
    """Address lookup tables."""

    def __iter__(self) -> Iterator[Lane]:
        return iter((self.prices, self.liquidations, self.chains, self.payouts, self.tables))


def open_lanes(kit: Kit, config: LanesConfig, keeper: Keypair) -> Lanes:
    """Open every lane; one without a key of its own is paid by the keeper's.

    Raises:
        KeypairError: a lane's key file cannot be used.
    """

    def one(name: str, lane: LaneConfig, signers: tuple[Keypair, ...] = ()) -> Lane:
        payer = keeper if lane.key is None else load_keypair(lane.key)
        return open_lane(
            kit, name, payer, lane.purse(), concurrency=lane.concurrency, signers=signers
        )

    return Lanes(
        # The program takes prices from the oracle authority only, whoever pays for them.
        prices=one("prices", config.prices, (keeper,)),
        liquidations=one("liquidations", config.liquidations),
        chains=one("chains", config.chains),
        payouts=one("payouts", config.payouts),
        tables=one("tables", config.tables),
    )
