"""Found the platform on a fresh network: mints, genesis, funds, markets, liquidity, a full vault.

Shell. Everything goes through the RPC endpoint, signed by whoever has to sign.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
    mint_to,
)
from spl.token.models import MintToParams

from keeper.sandbox.cast import PROGRAM_KEY, Actor, Cast, Role
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.listings import MarketSeed
from keeper.sandbox.wallet import Deed, land_all, wait_confirmed
from programs import instructions
from programs.addresses import TOKEN_PROGRAM, market_address
from programs.genesis import MINT_BYTES, create_mint
from programs.rpc import Rpc
from programs.units import I64_MAX, MMT_DECIMALS, QUOTE_DECIMALS, Lamports

USD: Final = 1_000_000
ADMIN_LAMPORTS: Final = Lamports(1_000_000 * 10**9)
"""What the network pays the admin at its start."""
KEEPER_LAMPORTS: Final = 1_000 * 10**9
_ACTOR_LAMPORTS: Final = 10_000 * 10**9
_ACTOR_USD: Final = 1_000_000_000
_MARKETS_PER_TRANSACTION: Final = 2
"""A third one is longer than a packet."""
_MINT_RENT_LAMPORTS: Final = Lamports(1_461_600)
"""Exempts MINT_BYTES. Source: solana-rent, (82 + 128) * 6_960."""

assert MINT_BYTES == 82  # noqa: PLR2004 - what the rent above is for


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What founding made."""

    program: Pubkey
    quote_mint: Pubkey
    markets: tuple[Pubkey, ...]
    active: tuple[Pubkey, ...]
    """Those with liquidity, in which actors trade."""


async def found_platform(
    rpc: Rpc, config: SandboxConfig, cast: Cast, keeper: Keypair, seeds: Sequence[MarketSeed]
) -> Platform:
    """Do all of it, and wait until it is confirmed; the keeper becomes oracle and incentives authority and is funded.

    Raises:
        RpcFailure: the network did not answer.
        SandboxError: a step was refused.
    """
    program, admin = PROGRAM_KEY.pubkey(), cast.admin
    markets = tuple(market_address(program, seed.condition_id)[0] for seed in seeds)
    # Actors trade pool 0 of what they see: markets with one pool, which come first.
    with_two = [seed for seed in seeds if len(seed.prices_e6) == 1]
    active = markets[: min(config.active_markets_max, len(with_two))]
    await land_all(rpc, [_mint(cast)])
    await land_all(rpc, [_genesis(cast, keeper.pubkey())])
    owners = [(actor.address, _ACTOR_LAMPORTS, _ACTOR_USD) for actor in cast.actors]
    owners.append((keeper.pubkey(), KEEPER_LAMPORTS, 0))
    await land_all(rpc, [_fund(cast, *owner) for owner in owners])
    await land_all(rpc, _create_markets(admin, cast.quote_mint.pubkey(), seeds))
    await land_all(rpc, _invest(config, cast, active))
    await wait_confirmed(rpc)
    return Platform(
        program=program, quote_mint=cast.quote_mint.pubkey(), markets=markets, active=active
    )


def _mint(cast: Cast) -> Deed:
    payer = cast.admin.address
    made: list[Instruction] = []
    for mint, decimals in ((cast.quote_mint, QUOTE_DECIMALS), (cast.mmt_mint, MMT_DECIMALS)):
        made += create_mint(payer, mint.pubkey(), payer, decimals, _MINT_RENT_LAMPORTS)
    return made, [cast.admin.key, cast.quote_mint, cast.mmt_mint]


def _genesis(cast: Cast, keeper: Pubkey) -> Deed:
    admin = cast.admin.address
    authorities = instructions.Authorities(
        market=admin, oracle=keeper, incentives=keeper, fee_treasury_owner=admin, halt=admin
    )
    program = PROGRAM_KEY.pubkey()
    quote, mmt = cast.quote_mint.pubkey(), cast.mmt_mint.pubkey()
    founded = instructions.initialize(program, admin, quote, mmt, authorities)
    return [founded], [cast.admin.key, PROGRAM_KEY]


def _fund(cast: Cast, owner: Pubkey, lamports: int, usd: int) -> Deed:
    """Give lamports, a quote token account and dollars."""
    admin, mint = cast.admin, cast.quote_mint.pubkey()
    funded = [create_idempotent_associated_token_account(admin.address, owner, mint)]
    if owner != admin.address:
        gift = TransferParams(from_pubkey=admin.address, to_pubkey=owner, lamports=lamports)
        funded.append(transfer(gift))
    if usd:
        issue = MintToParams(
            program_id=TOKEN_PROGRAM,
            mint=mint,
            dest=get_associated_token_address(owner, mint),
            mint_authority=admin.address,
            amount=usd * USD,
        )
        funded.append(mint_to(issue))
    return funded, [admin.key]


def _create_markets(admin: Actor, quote_mint: Pubkey, seeds: Sequence[MarketSeed]) -> list[Deed]:
    created = [
        instructions.create_market(
            PROGRAM_KEY.pubkey(),
            admin.address,
            quote_mint,
            condition_id=seed.condition_id,
            outcomes=seed.outcomes,
            yes_token_or_hash=seed.yes_token_or_hash,
            no_token=seed.no_token,
            prices_e6=seed.prices_e6,
        )
        for seed in seeds
    ]
    size = _MARKETS_PER_TRANSACTION
    return [(created[at : at + size], [admin.key]) for at in range(0, len(created), size)]


def _invest(config: SandboxConfig, cast: Cast, active: Sequence[Pubkey]) -> list[Deed]:
    """Let the makers share every active pool, and the staker fill the vault."""
    program = PROGRAM_KEY.pubkey()
    makers = cast.of(Role.MAKER)
    share = config.liquidity_usd * USD // len(makers)
    deeds: list[Deed] = [
        (
            [
                instructions.add_liquidity(
                    program,
                    maker.address,
                    maker.tokens,
                    market,
                    pool=0,
                    liquidity=share,
                    cash_max=I64_MAX,
                    position_id=0,
                )
            ],
            [maker.key],
        )
        for market in active
        for maker in makers
    ]
    if config.stake_usd:
        (staker,) = cast.of(Role.STAKER)
        amount = config.stake_usd * USD
        staked = instructions.stake(program, staker.address, staker.tokens, amount=amount)
        deeds.append(([staked], [staker.key]))
    return deeds
