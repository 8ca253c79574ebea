"""What is left of genesis, judged from the chain alone.

Genesis happens at most once because the program refuses a second one; it is one transaction, which also makes the MMT
mint, so it has happened whole or not at all. Running it again after a kill at any line is reading the accounts again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from programs import addresses, instructions
from programs.accounts import Global, MalformedAccountError
from programs.audit import authorities_of
from programs.findings import Difference, read_mint
from programs.genesis import MINT_BYTES, create_mint
from programs.instructions import Authorities
from programs.layout import GLOBAL_DTYPE, VAULT_DTYPE
from programs.rent import RentRate
from programs.rpc import Account
from programs.spl_token import TOKEN_ACCOUNT_BYTES
from programs.step import NO_BID, Step
from programs.units import (
    MMT_DECIMALS,
    QUOTE_DECIMALS,
    ComputeUnits,
    Lamports,
    MicroLamports,
)

GENESIS_CU: Final = ComputeUnits(200_000)
"""What a genesis asks for when it bids: `initialize` used 27_000 to 52_000 for 40 program ids, 1_500 for every bump tried."""
_TOKEN_ACCOUNTS: Final = 3
"""Vault, sink and treasury."""


class GenesisRefused(Exception):  # noqa: N818 - reads as the sentence it says
    """Genesis cannot happen as it is meant to; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """What genesis fixes for ever, and who signs for it."""

    program: Keypair
    payer: Keypair
    """Holds the mint authority of MMT inside the transaction only."""
    quote_mint: Pubkey
    new_quote_mint: Keypair | None
    """Makes the quote token as well, issued by the payer: for test clusters."""
    mmt_mint: Keypair
    authorities: Authorities
    cu_price: MicroLamports = NO_BID

    @property
    def wanted(self) -> tuple[Pubkey, Pubkey, Pubkey]:
        """The accounts to read: genesis account, quote mint, MMT mint."""
        return (
            addresses.global_address(self.program.pubkey())[0],
            self.quote_mint,
            self.mmt_mint.pubkey(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The accounts of `Charter.wanted`, as one slot saw them."""

    genesis: Account | None
    quote_mint: Account | None
    mmt_mint: Account | None


def derived_mint(program: Keypair, purpose: str) -> Keypair:
    """Derive the key of a mint from the program's secret, so that a genesis that was interrupted finds it again."""
    domain = sha256(f"betting-keeper genesis {purpose} mint".encode()).digest()
    return Keypair.from_seed(sha256(domain + program.secret()).digest())


def genesis_left(charter: Charter, seen: Seen, rate: RentRate) -> tuple[Step, ...]:
    """Return the transactions that are left, in order; none: genesis has happened as chartered.

    Raises:
        GenesisRefused: it has happened otherwise, or a mint cannot be used.
    """
    if seen.genesis is not None and seen.genesis.owner == charter.program.pubkey():
        _check_same(charter, seen.genesis)
        return ()
    payer = charter.payer.pubkey()
    rent = rate.exempt_lamports(MINT_BYTES)
    steps: list[Step] = []
    if seen.quote_mint is None and charter.new_quote_mint is not None:
        made = create_mint(payer, charter.quote_mint, payer, QUOTE_DECIMALS, rent)
        steps.append(_step(charter, *made, also=[charter.new_quote_mint]))
    else:
        _check_quote(charter, seen.quote_mint)
    founded = instructions.initialize(
        charter.program.pubkey(),
        payer,
        charter.quote_mint,
        charter.mmt_mint.pubkey(),
        charter.authorities,
    )
    if seen.mmt_mint is None:
        made = create_mint(payer, charter.mmt_mint.pubkey(), payer, MMT_DECIMALS, rent)
        also = [charter.program, charter.mmt_mint]
        steps.append(_step(charter, *made, founded, also=also))
    else:
        _check_mmt(charter, seen.mmt_mint)
        steps.append(_step(charter, founded, also=[charter.program]))
    return tuple(steps)


def genesis_cost(steps: tuple[Step, ...], seen: Seen, rate: RentRate) -> Lamports:
    """Add up rent and fees of what is left."""
    if not steps:
        return Lamports(0)
    mints = (len(steps) > 1) + (seen.mmt_mint is None)
    sizes = [GLOBAL_DTYPE.itemsize, VAULT_DTYPE.itemsize]
    sizes += [TOKEN_ACCOUNT_BYTES] * _TOKEN_ACCOUNTS + [MINT_BYTES] * mints
    rent = sum(rate.exempt_lamports(size) for size in sizes)
    return Lamports(rent + sum(step.fee_lamports for step in steps))


def _step(charter: Charter, *made: Instruction, also: list[Keypair]) -> Step:
    return Step(
        instructions=made,
        signers=(charter.payer, *also),
        cu_limit=GENESIS_CU,
        cu_price_micro_lamports=charter.cu_price,
    )


def _check_same(charter: Charter, account: Account) -> None:
    try:
        state = Global.from_bytes(account.data)
    except MalformedAccountError as error:
        raise GenesisRefused(f"the genesis account cannot be read: {error}") from error
    otherwise = "; ".join(
        f"{name} is {found}, not {asked}" for name, found, asked in _otherwise(charter, state)
    )
    if otherwise:
        raise GenesisRefused(
            f"program {charter.program.pubkey()} has had its genesis, which cannot be repeated, and it fixed other "
            f"values than asked for: {otherwise}"
        )


def _otherwise(charter: Charter, state: Global) -> Iterator[tuple[str, Pubkey, Pubkey]]:
    asked = {
        "market": charter.authorities.market,
        "oracle": charter.authorities.oracle,
        "incentives": charter.authorities.incentives,
        "fee_treasury_owner": charter.authorities.fee_treasury_owner,
        "halt": charter.authorities.halt,
    }
    for name, found in authorities_of(state).items():
        # The halt authority is gone once it has been used.
        is_spent = name == "halt" and bool(state.halted)
        if found != asked[name] and not is_spent:
            yield name, found, asked[name]
    if state.quote_mint != charter.quote_mint:
        yield "quote mint", state.quote_mint, charter.quote_mint


def _check_quote(charter: Charter, account: Account | None) -> None:
    read = read_mint("quote mint", account)
    if isinstance(read, Difference):
        raise GenesisRefused(
            f"quote mint {charter.quote_mint}: found {read.found}, expected an SPL mint of {QUOTE_DECIMALS} decimals: "
            "correct --quote-mint, or make one for a test cluster with --new-quote-mint"
        )
    if read.decimals != QUOTE_DECIMALS:
        raise GenesisRefused(
            f"quote mint {charter.quote_mint} has {read.decimals} decimals, expected {QUOTE_DECIMALS}: correct "
            "--quote-mint"
        )


def _check_mmt(charter: Charter, account: Account) -> None:
    payer = charter.payer.pubkey()
    read = read_mint("MMT mint", account)
    if isinstance(read, Difference):
        found = read.found
    elif read.decimals != MMT_DECIMALS:
        found = f"a mint of {read.decimals} decimals"
    elif read.authority != payer:
        found = f"a mint whose authority is {read.authority or 'none'}"
    elif read.supply or read.freeze_authority is not None:
        found = "a mint with a pre-mine or a freeze authority"
    else:
        return
    raise GenesisRefused(
        f"MMT mint {charter.mmt_mint.pubkey()}: found {found}, expected an unminted one of {MMT_DECIMALS} decimals "
        f"whose authority is the payer {payer}: give the payer that made it, or another --mmt-mint"
    )
