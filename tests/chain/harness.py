"""The committed program in LiteSVM with a cast of users: the platform under test, without sockets.

Every transaction that lands is audited: the quote tokens of all accounts sum to what was minted, and the accounts agree
with each other and with the events (books.py).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest
import spl.token.instructions as spl
from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata
from solders.transaction_status import InstructionErrorCustom, TransactionErrorInstructionError
from spl.token.models import MintToParams

from programs import addresses, errors, events, instructions
from programs.accounts import (
    Global,
    Maker,
    Market,
    Position,
    Side,
    Stake,
    Vault,
    positions_from_bytes,
)
from programs.addresses import TOKEN_PROGRAM
from programs.betting_platform.build import PROGRAM_SO
from programs.chain_account import Chain, Step, position_bytes
from programs.genesis import MINT_BYTES, create_mint
from tests.chain.books import Books, check

USD = 1_000_000


class RuntimeRefusalError(Exception):
    """The runtime, the system program or the token program refused, not ours."""


def refused(name: str) -> pytest.RaisesExc[errors.ProgramError]:
    """Expect a refusal by its name in errors.h."""
    return pytest.raises(errors.BY_NAME[name])


def keypair(name: str) -> Keypair:
    """A keypair that is the same in every run."""
    return Keypair.from_seed(hashlib.sha256(name.encode()).digest())


def second_address(program: Pubkey, *seeds: bytes) -> tuple[Pubkey, int]:
    """The next address of the same seeds after the one that clients derive, and its bump."""
    first = Pubkey.find_program_address(list(seeds), program)[1]
    for bump in range(first - 1, -1, -1):
        preimage = b"".join(seeds) + bytes([bump]) + bytes(program) + b"ProgramDerivedAddress"
        address = Pubkey.from_bytes(hashlib.sha256(preimage).digest())
        if not address.is_on_curve():
            return address, bump
    raise AssertionError("256 bumps on the curve")


@dataclass
class User:
    """Somebody with lamports and a quote token account."""

    key: Keypair
    tokens: Pubkey
    next_position_id: int = 0

    @cached_property
    def address(self) -> Pubkey:
        return self.key.pubkey()

    def take_position_id(self) -> int:
        self.next_position_id += 1
        return self.next_position_id - 1


@dataclass
class Receipt:
    """A landed transaction: what it cost and what the program said."""

    cu: int
    events: list[events.Event]
    logs: tuple[str, ...] = field(default=(), repr=False)


@dataclass(repr=False)
class Platform:
    """The program, initialized, with one oracle and market authority."""

    svm: LiteSVM = field(default_factory=LiteSVM)
    program_key: Keypair = field(default_factory=lambda: keypair("program"))
    admin: Keypair = field(default_factory=lambda: keypair("admin"))
    quote_mint: Keypair = field(default_factory=lambda: keypair("quote"))
    mmt_mint: Keypair = field(default_factory=lambda: keypair("mmt"))
    so: bytes = field(default_factory=PROGRAM_SO.read_bytes)
    users: list[User] = field(default_factory=list)
    markets: list[Pubkey] = field(default_factory=list)
    positions: set[Pubkey] = field(default_factory=set)
    """Every position address used so far."""
    chains: set[Pubkey] = field(default_factory=set)
    """Every chain address used so far."""
    makers: set[Pubkey] = field(default_factory=set)
    stakes: set[Pubkey] = field(default_factory=set)
    """Every maker and stake address used so far."""
    books: Books = field(default_factory=Books)
    minted: int = 0
    is_audited: bool = True

    def __repr__(self) -> str:
        """Name it: hypothesis prints arguments, field by field unless told otherwise."""
        return f"Platform(slot={self.slot})"

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        printer.text(repr(self))

    def __post_init__(self) -> None:
        self.svm.airdrop(self.admin.pubkey(), 10**12)
        self.svm.add_program(self.program, self.so)
        self.warp(1_000)
        for mint, decimals in ((self.quote_mint, 6), (self.mmt_mint, 9)):
            self.send(
                create_mint(
                    self.admin.pubkey(),
                    mint.pubkey(),
                    self.admin.pubkey(),
                    decimals,
                    self.svm.minimum_balance_for_rent_exemption(MINT_BYTES),
                ),
                [self.admin, mint],
            )

    @cached_property
    def program(self) -> Pubkey:
        return self.program_key.pubkey()

    # -- time and transactions --

    @property
    def slot(self) -> int:
        return self.svm.get_clock().slot

    def warp(self, slots: int) -> None:
        """Move on: a new slot also makes an identical transaction a new one."""
        self.svm.warp_to_slot(self.slot + slots)
        self.svm.expire_blockhash()

    def try_send(
        self, ixs: Sequence[Instruction], signers: Sequence[Keypair]
    ) -> TransactionMetadata | FailedTransactionMetadata:
        message = Message([set_compute_unit_limit(1_400_000), *ixs], signers[0].pubkey())
        self.svm.expire_blockhash()
        tx = Transaction(list(signers), message, self.svm.latest_blockhash())
        return self.svm.send_transaction(tx)

    def send(self, ixs: Instruction | Sequence[Instruction], signers: Sequence[Keypair]) -> Receipt:
        """Land a transaction, or raise what the program said."""
        listed = [ixs] if isinstance(ixs, Instruction) else list(ixs)
        result = self.try_send(listed, signers)
        if isinstance(result, FailedTransactionMetadata):
            error = result.err()
            if isinstance(error, TransactionErrorInstructionError) and isinstance(
                error.err, InstructionErrorCustom
            ):
                exception = errors.BY_CODE.get(error.err.code)
                if exception:
                    raise exception
            raise RuntimeRefusalError(f"{error}: {result.meta().logs()}")
        receipt = Receipt(
            cu=result.compute_units_consumed(),
            events=events.decode_logs(result.logs(), self.program),
            logs=tuple(result.logs()),
        )
        for event in receipt.events:
            self.books.apply(event, self.slot)
        if self.is_audited and self.books.sequences:
            self.audit()
        return receipt

    def audit(self) -> None:
        """Compare tokens, accounts and events."""
        assert self.quote_total() == self.minted
        held = self.existing(self.chains)
        chains = [Chain.from_bytes(data) for data in held]
        embedded = [position_bytes(data, holding) for data in held for holding in range(3)]
        makers = [Maker.from_bytes(data) for data in self.existing(self.makers)]
        stakes = [Stake.from_bytes(data) for data in self.existing(self.stakes)]
        check(
            self.books,
            self.vault(),
            self.vault_tokens(),
            [(m, self.market(m), self.market_tokens(m)) for m in self.markets],
            positions_from_bytes([*self.existing(self.positions), *embedded]),
            makers + [chain.maker for chain in chains],
            stakes + [chain.stake for chain in chains],
            chains,
        )
        treasury = addresses.treasury_tokens_address(self.program)[0]
        self.books.rewards.check(self.global_(), self.slot, self.tokens(treasury), self.data)

    def existing(self, addresses: Iterable[Pubkey]) -> list[bytes]:
        """Return the data of those accounts that exist."""
        return [self.data(address) for address in addresses if self.exists(address)]

    def quote_total(self) -> int:
        """Quote tokens in every token account of the platform and its users."""
        platform = self.vault_tokens() + sum(self.market_tokens(m) for m in self.markets)
        return platform + sum(self.tokens(user.tokens) for user in self.users)

    # -- cast --

    def initialize(self) -> Receipt:
        admin = self.admin.pubkey()
        authorities = instructions.Authorities(
            market=admin, oracle=admin, incentives=admin, fee_treasury_owner=admin, halt=admin
        )
        return self.send(
            instructions.initialize(
                self.program, admin, self.quote_mint.pubkey(), self.mmt_mint.pubkey(), authorities
            ),
            [self.admin, self.program_key],
        )

    def user(self, usd: int = 1_000_000) -> User:
        key = keypair(f"user {len(self.users)}")
        self.svm.airdrop(key.pubkey(), 10**12)
        tokens = spl.get_associated_token_address(key.pubkey(), self.quote_mint.pubkey())
        user = User(key, tokens)
        self.users.append(user)
        self.minted += usd * USD
        self.send(
            [
                spl.create_associated_token_account(
                    self.admin.pubkey(), key.pubkey(), self.quote_mint.pubkey()
                ),
                spl.mint_to(
                    MintToParams(
                        program_id=TOKEN_PROGRAM,
                        mint=self.quote_mint.pubkey(),
                        dest=tokens,
                        mint_authority=self.admin.pubkey(),
                        amount=usd * USD,
                    )
                ),
            ],
            [self.admin],
        )
        return user

    # -- the program's instructions --

    def create_market(self, name: str = "m", *prices_e6: int) -> Pubkey:
        prices = prices_e6 or (500_000,)
        condition = hashlib.sha256(name.encode()).digest()
        market = addresses.market_address(self.program, condition)[0]
        self.send(
            instructions.create_market(
                self.program,
                self.admin.pubkey(),
                self.quote_mint.pubkey(),
                condition_id=condition,
                outcomes=2 if len(prices) == 1 else len(prices),
                yes_token_or_hash=condition,
                no_token=bytes(32),
                prices_e6=prices,
            ),
            [self.admin],
        )
        self.markets.append(market)
        return market

    def post(
        self,
        market: Pubkey,
        *prices_e6: int,
        price_class: int = 0,
        band_e6: int = 0,
        slot: int | None = None,
    ) -> Receipt:
        return self.send(
            instructions.update_prices(
                self.program,
                self.admin.pubkey(),
                market,
                price_class=price_class,
                publish_slot=self.slot if slot is None else slot,
                readings=[(price, band_e6) for price in prices_e6],
            ),
            [self.admin],
        )

    def move_oracle(self, market: Pubkey, price_e6: int, **kwargs: int) -> None:
        """Post until the clamped oracle price of a binary market has arrived."""
        while True:
            self.warp(5)
            self.post(market, price_e6, **kwargs)
            if self.market(market).pools[0].price_e6 == price_e6:
                return

    def add_liquidity(
        self,
        user: User,
        market: Pubkey,
        liquidity: int,
        pool: int = 0,
        cash_max: int = 2**63,
        **bounds: int,
    ) -> Receipt:
        position_id = user.take_position_id()
        self.positions.add(self.position_address(user, market, position_id))
        self.makers.add(self.maker_address(user, market, pool))
        return self.send(
            instructions.add_liquidity(
                self.program,
                user.address,
                user.tokens,
                market,
                pool=pool,
                liquidity=liquidity,
                cash_max=cash_max,
                position_id=position_id,
                **bounds,
            ),
            [user.key],
        )

    def remove_liquidity(
        self,
        user: User,
        market: Pubkey,
        liquidity: int = instructions.ALL_LIQUIDITY,
        pool: int = 0,
        **bounds: int,
    ) -> Receipt:
        position_id = user.take_position_id()
        self.positions.add(self.position_address(user, market, position_id))
        return self.send(
            instructions.remove_liquidity(
                self.program,
                user.address,
                user.tokens,
                market,
                pool=pool,
                liquidity=liquidity,
                position_id=position_id,
                **bounds,
            ),
            [user.key],
        )

    def claim_maker_fees(self, user: User, market: Pubkey, pool: int = 0) -> Receipt:
        on = (self.program, user.address, user.tokens, market)
        return self.send(instructions.claim_maker_fees(*on, pool=pool), [user.key])

    def withdraw_fees(self, market: Pubkey, tokens: Pubkey) -> Receipt:
        admin = self.admin.pubkey()
        return self.send(
            instructions.withdraw_fees(self.program, admin, tokens, market), [self.admin]
        )

    def sweep_fees(self, market: Pubkey) -> Receipt:
        return self.send(instructions.sweep_fees(self.program, market), [self.admin])

    def stake(self, user: User, amount: int, shares_min: int = 0) -> Receipt:
        self.stakes.add(self.stake_address(user))
        return self.send(
            instructions.stake(
                self.program, user.address, user.tokens, amount=amount, shares_min=shares_min
            ),
            [user.key],
        )

    def request_unstake(self, user: User, shares: int | None = None) -> Receipt:
        """Ask for these shares, or for all of them."""
        if shares is None:
            shares = self.stake_of(user).shares
        return self.send(
            instructions.request_unstake(self.program, user.address, shares=shares), [user.key]
        )

    def unstake(self, user: User) -> Receipt:
        return self.send(instructions.unstake(self.program, user.address, user.tokens), [user.key])

    def buy_inventory(
        self,
        user: User,
        market: Pubkey,
        shares: int,
        *,
        pool: int = 0,
        side: Side = Side.YES,
        cost_max: int = 2**63,
    ) -> tuple[int, Receipt]:
        """Buy shares as a position under the user's next id."""
        position_id = user.take_position_id()
        self.positions.add(self.position_address(user, market, position_id))
        instruction = instructions.buy_inventory(
            self.program,
            user.address,
            user.tokens,
            market,
            pool=pool,
            side=side,
            position_id=position_id,
            shares=shares,
            cost_max=cost_max,
        )
        return position_id, self.send(instruction, [user.key])

    def open_instruction(
        self,
        user: User,
        market: Pubkey,
        margin: int,
        *,
        position_id: int,
        leverage: int = 1,
        side: Side = Side.YES,
        pool: int = 0,
        worst_price_e6: int = 1_000_000,
        counts_trade: bool = True,
    ) -> Instruction:
        self.positions.add(self.position_address(user, market, position_id))
        return instructions.open_position(
            self.program,
            user.address,
            user.tokens,
            market,
            pool=pool,
            side=side,
            position_id=position_id,
            margin=margin,
            leverage=leverage,
            worst_price_e6=worst_price_e6,
            counts_trade=counts_trade,
        )

    def open(
        self, user: User, market: Pubkey, margin: int, **terms: int | Side
    ) -> tuple[int, Receipt]:
        """Open a position of the terms of `open_instruction` under the user's next id."""
        position_id = user.take_position_id()
        instruction = self.open_instruction(user, market, margin, position_id=position_id, **terms)
        return position_id, self.send(instruction, [user.key])

    def close_instruction(
        self,
        user: User,
        market: Pubkey,
        position_id: int,
        *,
        has_debt: bool = False,
        shares: int = instructions.ALL_SHARES,
        worst_price_e6: int = 0,
    ) -> Instruction:
        return instructions.close_position(
            self.program,
            user.address,
            user.tokens,
            market,
            position_id=position_id,
            has_debt=has_debt,
            shares=shares,
            worst_price_e6=worst_price_e6,
        )

    def close(self, user: User, market: Pubkey, position_id: int, **terms: int) -> Receipt:
        """Close a position on the terms of `close_instruction`."""
        return self.send(self.close_instruction(user, market, position_id, **terms), [user.key])

    def open_chain(
        self, user: User, market: Pubkey, deposit: int, *steps: Step, **terms: Any
    ) -> Pubkey:
        """Open a chain under the user's next id: due at once, for 10_000 slots, on YES of pool 0."""
        chain_id = terms.pop("chain_id", None)
        chain_id = user.take_position_id() if chain_id is None else chain_id
        chain = addresses.chain_address(self.program, market, user.address, chain_id)[0]
        defaults = {
            "pool": 0,
            "side": Side.YES,
            "trigger_e6": 1_000,
            "is_above": True,
            "expiry_slot": self.slot + 10_000,
        }
        self.chains.add(chain)
        self.send(
            instructions.open_chain(
                self.program,
                user.address,
                user.tokens,
                market,
                chain_id=chain_id,
                deposit=deposit,
                steps=steps,
                **defaults | terms,
            ),
            [user.key],
        )
        return chain

    def execute_instruction(
        self, keeper: User, chain: Pubkey, step_count: int = 5, first_step: int | None = None
    ) -> Instruction:
        state = self.chain(chain)
        return instructions.execute_chain(
            self.program,
            keeper.address,
            keeper.tokens,
            state.market,
            chain,
            first_step=state.next_step if first_step is None else first_step,
            step_count=step_count,
            counts_trade=True,
        )

    def execute(self, keeper: User, chain: Pubkey, *args: int, **terms: int) -> Receipt:
        """Execute steps of a chain on the terms of `execute_instruction`."""
        return self.send(self.execute_instruction(keeper, chain, *args, **terms), [keeper.key])

    def cancel_instruction(self, caller: User, chain: Pubkey) -> Instruction:
        state = self.chain(chain)
        owner = next(user for user in self.users if user.address == state.owner)
        return instructions.cancel_chain(
            self.program,
            caller.address,
            caller.tokens,
            state.market,
            chain,
            owner.address,
            owner.tokens,
        )

    def cancel(self, caller: User, chain: Pubkey) -> Receipt:
        """Unwind a chain as far as it goes by now."""
        return self.send(self.cancel_instruction(caller, chain), [caller.key])

    def close_holding(self, user: User, chain: Pubkey, holding: int, **terms: int) -> Receipt:
        """Sell what a chain holds on the terms of `instructions.close_holding`."""
        instruction = instructions.close_holding(
            self.program,
            user.address,
            user.tokens,
            self.chain(chain).market,
            chain,
            holding=holding,
            has_debt=holding == 0 and self.chain(chain).position.debt > 0,
            **terms,
        )
        return self.send(instruction, [user.key])

    def chain(self, address: Pubkey) -> Chain:
        return Chain.from_bytes(self.data(address))

    def pay(self, user: User, target: Pubkey, lamports: int) -> Instruction:
        return transfer(
            TransferParams(from_pubkey=user.address, to_pubkey=target, lamports=lamports)
        )

    def liquidate_instruction(
        self, keeper: User, market: Pubkey, positions: Iterable[Pubkey]
    ) -> Instruction:
        return instructions.liquidate(
            self.program, keeper.address, keeper.tokens, market, list(positions)
        )

    def liquidate(self, keeper: User, market: Pubkey, positions: Iterable[Pubkey]) -> Receipt:
        return self.send(self.liquidate_instruction(keeper, market, positions), [keeper.key])

    def resolve(self, market: Pubkey, *payouts_e6: int) -> Receipt:
        return self.send(
            instructions.resolve_market(
                self.program, self.admin.pubkey(), market, payouts_e6=payouts_e6
            ),
            [self.admin],
        )

    def redeem_instruction(
        self, user: User, market: Pubkey, position_id: int, caller: User | None = None
    ) -> Instruction:
        return instructions.redeem(
            self.program,
            (caller or user).address,
            user.address,
            user.tokens,
            market,
            self.position_address(user, market, position_id),
        )

    def redeem(
        self, user: User, market: Pubkey, position_id: int, caller: User | None = None
    ) -> Receipt:
        """Redeem a user's position, himself or somebody else."""
        instruction = self.redeem_instruction(user, market, position_id, caller)
        return self.send(instruction, [(caller or user).key])

    def redeem_holding(self, caller: User, chain: Pubkey, holding: int) -> Receipt:
        """Redeem one of a chain's positions; anybody may."""
        state = self.chain(chain)
        owner = next(user for user in self.users if user.address == state.owner)
        instruction = instructions.redeem(
            self.program,
            caller.address,
            owner.address,
            owner.tokens,
            state.market,
            chain,
            holding=holding,
        )
        return self.send(instruction, [caller.key])

    def halt(self, authority: Keypair | None = None) -> Receipt:
        key = authority or self.admin
        return self.send(instructions.halt(self.program, key.pubkey()), [key])

    def simulate(self, instruction: Instruction, user: User) -> int:
        """Compute units of an instruction that must succeed; nothing changes."""
        message = Message([instruction], user.address)
        tx = Transaction([user.key], message, self.svm.latest_blockhash())
        result = self.svm.simulate_transaction(tx)
        assert not isinstance(result, FailedTransactionMetadata), result.meta().logs()
        return result.meta().compute_units_consumed()

    # -- what the chain says --

    @property
    def global_address(self) -> Pubkey:
        return addresses.global_address(self.program)[0]

    @property
    def vault_address(self) -> Pubkey:
        return addresses.vault_address(self.program)[0]

    def set_data(self, address: Pubkey, data: bytes) -> None:
        """Write an account by hand, for states that the instructions of today cannot reach."""
        old = self.svm.get_account(address)
        assert old is not None
        self.svm.set_account(address, Account(old.lamports, data, old.owner))

    def data(self, address: Pubkey) -> bytes:
        account = self.svm.get_account(address)
        assert account is not None, f"{address} does not exist"
        return account.data

    def exists(self, address: Pubkey) -> bool:
        account = self.svm.get_account(address)
        return account is not None and account.lamports > 0

    def global_(self) -> Global:
        return Global.from_bytes(self.data(addresses.global_address(self.program)[0]))

    def vault(self) -> Vault:
        return Vault.from_bytes(self.data(addresses.vault_address(self.program)[0]))

    def market(self, address: Pubkey) -> Market:
        return Market.from_bytes(self.data(address))

    def position_address(self, user: User, market: Pubkey, position_id: int) -> Pubkey:
        return addresses.position_address(self.program, market, user.address, position_id)[0]

    def position(self, user: User, market: Pubkey, position_id: int) -> Position:
        return Position.from_bytes(self.data(self.position_address(user, market, position_id)))

    def maker_address(self, user: User, market: Pubkey, pool: int = 0) -> Pubkey:
        return addresses.maker_address(self.program, market, pool, user.address)[0]

    def maker_of(self, user: User, market: Pubkey, pool: int = 0) -> Maker:
        return Maker.from_bytes(self.data(self.maker_address(user, market, pool)))

    def stake_address(self, user: User) -> Pubkey:
        return addresses.stake_address(self.program, user.address)[0]

    def stake_of(self, user: User) -> Stake:
        return Stake.from_bytes(self.data(self.stake_address(user)))

    def tokens(self, address: Pubkey) -> int:
        """Amount in an SPL token account."""
        return int.from_bytes(self.data(address)[64:72], "little")

    def market_tokens(self, market: Pubkey) -> int:
        return self.tokens(addresses.market_tokens_address(self.program, market)[0])

    def vault_tokens(self) -> int:
        return self.tokens(addresses.vault_tokens_address(self.program)[0])
