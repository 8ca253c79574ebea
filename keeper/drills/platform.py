"""The platform of a drill: founded, priced once, and full of leveraged positions that a move makes liquidatable.

Shell. It asks for an RPC endpoint and signs as everybody; the same on sockets and on the virtual clock.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.drills.places import Place, places_of
from keeper.drills.venue.script import ScriptedVenue
from keeper.errors import SandboxError
from keeper.prices.outcomes import Triple, hash_of, token_bytes
from keeper.prices.price import TokenId
from keeper.sandbox.cast import PROGRAM_KEY, Cast, Role, cast_of
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.floor import Floor
from keeper.sandbox.founding import found_platform
from keeper.sandbox.listings import MarketSeed
from keeper.sandbox.trading import Plan, take_leverage
from keeper.sandbox.wallet import Deed, land_all, wait_confirmed
from keeper.sandbox.written_orders import instructions_of
from programs.accounts import Market, Vault
from programs.addresses import vault_address
from programs.instructions import update_prices
from programs.rpc import Rpc
from programs.units import PRICE_MAX_E6, PRICE_MIN_E6

PROGRAM: Final = PROGRAM_KEY.pubkey()
_SEED: Final = 1
_USD: Final = 1_000_000
_STAKE_USD: Final = 2_000_000
_LIQUIDITY_USD: Final = 100_000
_VALID: Final = 0
_BAND_E6: Final = 5_000
_TOKEN_BYTES: Final = 32
_POSTS_ALONE: Final = 1_000
"""A platform of more markets is priced several in a transaction."""
_POSTS_PER_TRANSACTION: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPlatform:
    """What stands on chain before the keeper starts."""

    keeper: Keypair
    """The oracle authority."""
    places: tuple[Place, ...]
    """Of the script's markets, in their order."""
    token_places: dict[str, str]
    """Name of the place that each YES token prices."""
    planted: int
    """Leveraged positions."""


async def found_drill(
    rpc: Rpc,
    script: ScriptedVenue,
    keeper: Keypair,
    *,
    slot_ms: int,
    positions_per_side: int,
    liquidity_usd: int = _LIQUIDITY_USD,
    stake_usd: int = _STAKE_USD,
    active_markets: int = 0,
) -> DrillPlatform:
    """Found the platform with the script's markets, price it, and plant positions on both sides.

    Args:
        rpc: of the network.
        script: its markets are created.
        keeper: becomes the oracle authority.
        slot_ms: the network's.
        positions_per_side: leveraged ones in every market; 0 plants none.
        liquidity_usd: L of every pool.
        stake_usd: what the vault can lend from.
        active_markets: how many of them, the first ones, have makers and positions; 0: all.

    Raises:
        RpcFailure: the network did not answer.
        SandboxError: a step was refused.
    """
    cast = cast_of(_SEED)
    seeds = _seeds(script)
    config = SandboxConfig(
        markets=len(seeds),
        active_markets_max=active_markets or len(seeds),
        slot_ms=slot_ms,
        stake_usd=stake_usd,
        liquidity_usd=liquidity_usd,
        positions_per_side=positions_per_side,
    )
    platform = await found_platform(rpc, config, cast, keeper, seeds)
    await _price(rpc, keeper, platform.markets, seeds)
    planted = await _plant(rpc, cast, platform.active, positions_per_side, stake_usd)
    await wait_confirmed(rpc)
    places = tuple(
        place
        for address, seed in zip(platform.markets, seeds, strict=True)
        for place in places_of(address, len(seed.prices_e6))
    )
    return DrillPlatform(
        keeper=keeper,
        places=places,
        token_places={
            market.token_ids[0]: place.name
            for market, place in zip(script.markets, places, strict=True)
        },
        planted=planted,
    )


def _seeds(script: ScriptedVenue) -> list[MarketSeed]:
    """Return what to create: a market for each of its own, and one for all outcomes of the event."""
    singles = len(script.markets) - script.group_size
    triples = [
        Triple(
            condition_id=bytes.fromhex(market.condition_id.removeprefix("0x")),
            yes=TokenId(market.token_ids[0]),
            no=TokenId(market.token_ids[1]),
        )
        for market in script.markets
    ]
    seeds = [
        MarketSeed(
            condition_id=triple.condition_id,
            yes_token_or_hash=token_bytes(triple.yes),
            no_token=token_bytes(triple.no),
            prices_e6=(_start_e6(script, number),),
        )
        for number, triple in enumerate(triples[:singles])
    ]
    if not script.group_size:
        return seeds
    outcome = script.markets[singles].place
    assert outcome is not None, "an outcome knows its event"
    event = MarketSeed(
        condition_id=bytes.fromhex(outcome.group_id.removeprefix("0x")),
        outcomes=script.group_size,
        yes_token_or_hash=hash_of(triples[singles:]),
        no_token=bytes(_TOKEN_BYTES),
        prices_e6=tuple(_start_e6(script, singles + at) for at in range(script.group_size)),
    )
    return [*seeds, event]


def _start_e6(script: ScriptedVenue, number: int) -> int:
    price_e6 = script.truth_e6(number)
    assert price_e6 is not None, "every script starts with prices that can be known"
    return min(max(price_e6, PRICE_MIN_E6), PRICE_MAX_E6)


async def _price(
    rpc: Rpc, keeper: Keypair, markets: tuple[Pubkey, ...], seeds: list[MarketSeed]
) -> None:
    """Post the first reading of every market as valid: leverage waits for it."""
    slot = await rpc.get_slot("processed")
    posts = [
        update_prices(
            PROGRAM,
            keeper.pubkey(),
            market,
            price_class=_VALID,
            publish_slot=slot,
            readings=[(price_e6, _BAND_E6) for price_e6 in seed.prices_e6],
        )
        for market, seed in zip(markets, seeds, strict=True)
    ]
    # Events' large readings would not fit: they are few, and go alone as they always did.
    size = _POSTS_PER_TRANSACTION if len(posts) > _POSTS_ALONE else 1
    await land_all(rpc, [(posts[at : at + size], [keeper]) for at in range(0, len(posts), size)])


async def _plant(
    rpc: Rpc,
    cast: Cast,
    markets: tuple[Pubkey, ...],
    positions_per_side: int,
    stake_usd: int,
) -> int:
    """Let the traders open leveraged positions, as large and as steep as the program allows them."""
    read = await rpc.get_multiple_accounts([vault_address(PROGRAM)[0], *markets], "processed")
    vault, *found = [b"" if account is None else account.data for account in read.accounts]
    plan = Plan(seed=_SEED, tick=0, positions_per_side=positions_per_side, stake=stake_usd * _USD)
    next_id: Counter[Pubkey] = Counter({actor.address: 1 for actor in cast.actors})
    deeds: list[Deed] = []
    planted = 0
    for address, data in zip(markets, found, strict=True):
        floor = Floor(
            slot=read.slot,
            address=address,
            market=Market.from_bytes(data),
            vault=Vault.from_bytes(vault),
            held=(),
        )
        for order in take_leverage(plan, cast.of(Role.TRADER), floor):
            built = instructions_of(order, PROGRAM, next_id, counts_trade=True)
            planted += len(built)
            deeds.append((built, [order.actor.key]))
    if positions_per_side and not planted:
        raise SandboxError("the program allows no leveraged position at the drill's first prices")
    await land_all(rpc, deeds)
    return planted
