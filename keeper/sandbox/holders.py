"""The program's accounts -> what each of the actors has, market by market.

Core.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from solders.pubkey import Pubkey

from keeper.sandbox.cast import Cast
from keeper.sandbox.floor import Held, PlannedChain
from programs.accounts import PositionArray, Side
from programs.chain_account import Chain


def held_by_market(rows: PositionArray, cast: Cast) -> Mapping[Pubkey, Sequence[Held]]:
    """Sort the positions of a cast by market, oldest first; strangers' are left out."""
    owners = {bytes(actor.address): actor for actor in cast.actors}
    held: dict[bytes, list[Held]] = defaultdict(list)
    names = ("owner", "market", "position_id", "side", "shares", "debt", "notional")
    columns = [rows[name].tolist() for name in names]
    for owner, market, position_id, side, shares, debt, notional in zip(*columns, strict=True):
        if owner in owners:
            held[market].append(
                Held(
                    owner=owners[owner],
                    position_id=position_id,
                    side=Side(side),
                    shares=shares,
                    debt=debt,
                    notional=notional,
                )
            )
    return {
        Pubkey.from_bytes(market): sorted(each, key=lambda one: one.position_id)
        for market, each in held.items()
    }


def chains_by_market(
    accounts: Sequence[tuple[bytes, bytes]], cast: Cast
) -> Mapping[Pubkey, Sequence[PlannedChain]]:
    """Sort the chains of a cast by market, oldest first; strangers' are left out."""
    owners = {actor.address: actor for actor in cast.actors}
    found: dict[Pubkey, list[PlannedChain]] = defaultdict(list)
    for address, data in accounts:
        chain = Chain.from_bytes(data)
        if chain.owner in owners:
            found[chain.market].append(
                PlannedChain(owner=owners[chain.owner], address=Pubkey(address), chain=chain)
            )
    return {
        market: sorted(each, key=lambda one: (one.chain.opened_slot, bytes(one.address)))
        for market, each in found.items()
    }
