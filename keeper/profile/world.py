"""A platform in an SVM of this process, to measure instructions on: no sockets, no clock, the same in every run."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import spl.token.instructions as spl
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata
from spl.token.models import MintToParams

from programs import addresses, instructions
from programs.accounts import Market, Position, Side
from programs.addresses import TOKEN_PROGRAM
from programs.genesis import MINT_BYTES, create_mint
from programs.units import MMT_DECIMALS, QUOTE_DECIMALS, TRANSACTION_CU_MAX, Lamports

USD: Final = 10**QUOTE_DECIMALS
_CONSUMED: Final = re.compile(r"Program (\w+) consumed (\d+) of (\d+) compute units")
_ALL_LAMPORTS: Final = 10**18
_LAMPORTS: Final = 10**13
_REMAINING_UNITS: Final = Pubkey.from_string("5TuppMutoyzhUSfuYdhgzD47F92GL1g89KpCZQKqedxP")
"""The feature remaining_compute_units_syscall_enabled. Source: agave-feature-set."""
_FIRST_SLOT: Final = 1_000
_CLAMP_SLOTS: Final = 5
"""After so many slots the oracle's clamp opens no further."""


class ProfileError(Exception):
    """A case that must land was refused: the figures would be of something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one transaction cost."""

    cu: int
    """Of the instruction that was measured alone, calls of other programs included."""
    wire_bytes: int
    accounts: int
    """Of the instruction."""
    logs: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class User:
    """Somebody with lamports and quote tokens."""

    key: Keypair
    tokens: Pubkey
    next_id: int = 0

    @property
    def address(self) -> Pubkey:
        """Their wallet."""
        return self.key.pubkey()

    def take_id(self) -> int:
        """Return an id for a position or a chain that they have not used yet."""
        self.next_id += 1
        return self.next_id - 1


def _chain() -> LiteSVM:
    """Today's mainnet, and the system call that marks ask: no cost depends on it."""
    features = LiteSVM.mainnet_feature_set()
    features.activate(_REMAINING_UNITS, 0)
    bare = LiteSVM.default().with_feature_set(features).with_builtins().with_sysvars()
    whole = bare.with_lamports(_ALL_LAMPORTS).with_default_programs().with_sigverify(sigverify=True)
    return whole.with_log_bytes_limit(None)  # marks are many; capacity.py holds the cluster's limit


def keypair(name: str) -> Keypair:
    """Return a keypair that is the same in every run: bumps, and what they cost, follow from it."""
    return Keypair.from_seed(hashlib.sha256(f"profile {name}".encode()).digest())


class World:
    """The program after genesis, and the means to act on it."""

    def __init__(self, code: bytes, *, is_founded: bool = True) -> None:
        """Put the program on a new chain.

        Args:
            code: the program's bytes, committed or a profiling build of the same source.
            is_founded: run genesis too.
        """
        self.svm = _chain()
        self.program_key = keypair("program")
        self.admin = keypair("admin")
        self.quote_mint = keypair("quote")
        self.mmt_mint = keypair("mmt")
        self.program: Final = self.program_key.pubkey()
        self._users = 0
        self._markets = 0
        self.svm.airdrop(self.admin.pubkey(), _LAMPORTS)
        self.svm.add_program(self.program, code)
        self.warp(_FIRST_SLOT)
        rent = Lamports(self.svm.minimum_balance_for_rent_exemption(MINT_BYTES))
        for mint, decimals in ((self.quote_mint, QUOTE_DECIMALS), (self.mmt_mint, MMT_DECIMALS)):
            create = create_mint(
                self.admin.pubkey(), mint.pubkey(), self.admin.pubkey(), decimals, rent
            )
            self.send(create, [self.admin, mint])
        if is_founded:
            self.send([self.genesis()], [self.admin, self.program_key])

    def genesis(self) -> Instruction:
        """Build `initialize`, with one key for every authority."""
        admin = self.admin.pubkey()
        authorities = instructions.Authorities(
            market=admin, oracle=admin, incentives=admin, fee_treasury_owner=admin, halt=admin
        )
        return instructions.initialize(
            self.program, admin, self.quote_mint.pubkey(), self.mmt_mint.pubkey(), authorities
        )

    # -- time and transactions --

    @property
    def slot(self) -> int:
        """Where the chain is."""
        return self.svm.get_clock().slot

    def warp(self, slots: int) -> None:
        """Move on."""
        self.svm.warp_to_slot(self.slot + slots)

    def send(self, ixs: Sequence[Instruction], signers: Sequence[Keypair]) -> Measured:
        """Land a transaction; its last instruction is the measured one.

        Raises:
            ProfileError: it was refused.
        """
        self.svm.expire_blockhash()
        listed = [set_compute_unit_limit(TRANSACTION_CU_MAX), *ixs]
        message = Message(listed, signers[0].pubkey())
        transaction = Transaction(list(signers), message, self.svm.latest_blockhash())
        result = self.svm.send_transaction(transaction)
        if isinstance(result, FailedTransactionMetadata):
            raise ProfileError(f"{result.err()}: {' | '.join(result.meta().logs()[-4:])}")
        return Measured(
            cu=consumed(result.logs(), ixs[-1].program_id),
            wire_bytes=len(bytes(transaction)),
            accounts=len(ixs[-1].accounts),
            logs=tuple(result.logs()),
        )

    # -- cast and markets --

    def user(self, usd: int) -> User:
        """Fund somebody new."""
        self._users += 1
        key = keypair(f"user {self._users}")
        self.svm.airdrop(key.pubkey(), _LAMPORTS)
        tokens = self.token_account(key.pubkey(), self.quote_mint.pubkey())
        if usd:
            mint = MintToParams(
                program_id=TOKEN_PROGRAM,
                mint=self.quote_mint.pubkey(),
                dest=tokens,
                mint_authority=self.admin.pubkey(),
                amount=usd * USD,
            )
            self.send([spl.mint_to(mint)], [self.admin])
        return User(key=key, tokens=tokens)

    def token_account(self, owner: Pubkey, mint: Pubkey) -> Pubkey:
        """Create somebody's token account and return its address."""
        create = spl.create_associated_token_account(self.admin.pubkey(), owner, mint)
        self.send([create], [self.admin])
        return spl.get_associated_token_address(owner, mint)

    def market_instruction(self, prices_e6: Sequence[int]) -> tuple[Instruction, Pubkey]:
        """Build `create_market` of a new market, and return its address too: one price for two outcomes."""
        self._markets += 1
        condition = hashlib.sha256(f"profile market {self._markets}".encode()).digest()
        create = instructions.create_market(
            self.program,
            self.admin.pubkey(),
            self.quote_mint.pubkey(),
            condition_id=condition,
            outcomes=2 if len(prices_e6) == 1 else len(prices_e6),
            yes_token_or_hash=bytes(32),
            no_token=bytes(32),
            prices_e6=prices_e6,
        )
        return create, addresses.market_address(self.program, condition)[0]

    def create_market(self, *prices_e6: int) -> Pubkey:
        """Create a market and post its prices once."""
        create, market = self.market_instruction(prices_e6)
        self.send([create], [self.admin])
        self.post(market, *prices_e6)
        return market

    def post_instruction(self, market: Pubkey, *prices_e6: int) -> Instruction:
        """Build `update_prices` with prices of now."""
        return instructions.update_prices(
            self.program,
            self.admin.pubkey(),
            market,
            price_class=0,
            publish_slot=self.slot,
            readings=[(price, 0) for price in prices_e6],
        )

    def post(self, market: Pubkey, *prices_e6: int) -> None:
        """Post prices."""
        self.send([self.post_instruction(market, *prices_e6)], [self.admin])

    def move_oracle(self, market: Pubkey, *prices_e6: int) -> None:
        """Post until the clamped oracle prices of all pools have arrived."""
        while [pool.price_e6 for pool in self.market(market).pools] != list(prices_e6):
            self.warp(_CLAMP_SLOTS)
            self.post(market, *prices_e6)

    def add_liquidity(self, user: User, market: Pubkey, usd: int, pool: int = 0) -> None:
        """Let somebody make a market of this L."""
        add = instructions.add_liquidity(
            self.program,
            user.address,
            user.tokens,
            market,
            pool=pool,
            liquidity=usd * USD,
            cash_max=2**63,
            position_id=user.take_id(),
        )
        self.send([add], [user.key])

    def stake(self, user: User, usd: int) -> None:
        """Let somebody finance the vault."""
        stake = instructions.stake(self.program, user.address, user.tokens, amount=usd * USD)
        self.send([stake], [user.key])

    def traded_market(self, price_e6: int = 500_000, liquidity_usd: int = 1_000_000) -> Pubkey:
        """Create a market with a maker."""
        market = self.create_market(price_e6)
        self.add_liquidity(self.user(10 * liquidity_usd), market, liquidity_usd)
        return market

    def open_instruction(
        self,
        user: User,
        market: Pubkey,
        margin: int,
        *,
        leverage: int,
        side: Side = Side.YES,
        pool: int = 0,
        counts_trade: bool = True,
    ) -> tuple[Instruction, int]:
        """Build `open_position`, and return the position's id too."""
        position_id = user.take_id()
        opened = instructions.open_position(
            self.program,
            user.address,
            user.tokens,
            market,
            pool=pool,
            side=side,
            position_id=position_id,
            margin=margin,
            leverage=leverage,
            worst_price_e6=1_000_000,
            counts_trade=counts_trade,
        )
        return opened, position_id

    def open(
        self,
        user: User,
        market: Pubkey,
        margin: int,
        *,
        leverage: int = 1,
        side: Side = Side.YES,
        pool: int = 0,
    ) -> int:
        """Open a position and return its id."""
        opened, position_id = self.open_instruction(
            user, market, margin, leverage=leverage, side=side, pool=pool
        )
        self.send([opened], [user.key])
        return position_id

    # -- what the chain says --

    def data(self, address: Pubkey) -> bytes:
        """Return an account's data; empty where there is none."""
        account = self.svm.get_account(address)
        return account.data if account else b""

    def market(self, address: Pubkey) -> Market:
        """Read a market."""
        return Market.from_bytes(self.data(address))

    def position_address(self, user: User, market: Pubkey, position_id: int) -> Pubkey:
        """Return where a position is."""
        return addresses.position_address(self.program, market, user.address, position_id)[0]

    def position(self, address: Pubkey) -> Position:
        """Read a position."""
        return Position.from_bytes(self.data(address))


def consumed(logs: Sequence[str], program: Pubkey) -> int:
    """Return the compute units of the last instruction of a program, from a transaction's logs."""
    used = [match for line in logs if (match := _CONSUMED.fullmatch(line))]
    mine = [int(match[2]) for match in used if match[1] == str(program)]
    if not mine:
        return 0  # built-in programs log nothing
    return mine[-1]
