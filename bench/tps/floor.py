"""A platform with many markets and users in an SVM, and real signed transactions of theirs that trade spot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from keeper.costs import CREATE_LOADED_BYTES
from keeper.profile.world import USD, User, World
from programs import addresses, instructions
from programs.accounts import Side
from programs.betting_platform.build import PROGRAM_SO
from programs.betting_platform.link import CODE_ADDRESS, executable
from programs.localnet.locks import LookupTables
from programs.transaction import Budget, compile_message, sign
from programs.units import TRANSACTION_LOG_BYTES_MAX, ComputeUnits, MicroLamports

COUNTED_TRADES: Final = 100
"""Until so many are done, a trade numbers itself in the global account. Source: SPEC.md section 5."""
_BUDGET: Final = Budget(
    cu_limit=ComputeUnits(12_000),
    cu_price_micro_lamports=MicroLamports(1_000),
    loaded_bytes=CREATE_LOADED_BYTES,
)
"""The limit is what the program's worst open_position may cost."""
_NOTIONAL: Final = 100 * USD
"""The least that counts as a trade. Source: SPEC.md section 7."""
_USER_USD: Final = 10_000_000
_RETURN_AT_ONCE: Final = bytes([0xB7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0])
"""`r0 = 0; exit`."""
_IDLE_PROGRAM: Final = Pubkey(b"a program that returns at once".ljust(32, b"\1"))
_HISTORY: Final = 1_000_000
"""Transactions that the SVM remembers, to refuse them when they come again: more than a benchmark sends."""


class TradeRefusedError(Exception):
    """A transaction that must succeed did not: the figures would be of something else."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who signs, and what."""

    user: User
    instruction: Instruction

    @property
    def market(self) -> Pubkey:
        """Where it trades."""
        return self.instruction.accounts[2].pubkey

    @property
    def position(self) -> Pubkey:
        """What it opens."""
        return self.instruction.accounts[5].pubkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """A transaction that succeeded, with what a block is charged for it."""

    transaction: VersionedTransaction
    written: frozenset[Pubkey]
    """Every account that it locks for writing."""
    cu: int
    """What the whole transaction used, compute-budget instructions included."""


class Floor:
    """Users, markets with a maker each, and a chain that checks all that a cluster checks of a transaction.

    Signatures, blockhashes and duplicates are checked, fees are charged, rent is enforced, logs are kept as far as
    a cluster keeps them.
    """

    def __init__(self, markets: int, users: int) -> None:
        """Found the platform, and let the trades be over that number themselves."""
        self.world: Final = World(PROGRAM_SO.read_bytes())
        idle = executable(_RETURN_AT_ONCE, b"", entry=CODE_ADDRESS)
        self.world.svm.add_program(_IDLE_PROGRAM, idle)
        self.markets: Final = [self.world.traded_market() for _ in range(markets)]
        self.users: Final = [self.world.user(_USER_USD) for _ in range(users)]
        for _ in range(COUNTED_TRADES):
            self.world.open(self.users[0], self.markets[0], _NOTIONAL)
        for market in self.markets:
            self.world.post(market, 500_000)
        svm = self.world.svm
        svm.with_log_bytes_limit(TRANSACTION_LOG_BYTES_MAX)
        svm.with_transaction_history(_HISTORY)
        svm.with_blockhash_check(check=True)
        self._tables: Final = LookupTables(svm.get_account)
        self._traded = 0

    @property
    def shared_accounts(self) -> frozenset[Pubkey]:
        """The accounts that all markets share."""
        program = self.world.program
        found = (addresses.global_address, addresses.vault_address, addresses.vault_tokens_address)
        return frozenset(address_of(program)[0] for address_of in found)

    def opens(
        self, count: int, markets: Sequence[Pubkey], *, counts_trade: bool = False
    ) -> list[Order]:
        """Order spot trades: users and markets take turns, and each market hears YES and NO by turns.

        Args:
            count: how many.
            markets: where.
            counts_trade: as while the platform numbers its trades: the account that all share is written.
        """
        orders = []
        for number in range(self._traded, self._traded + count):
            user = self.users[number % len(self.users)]
            opened, _ = self.world.open_instruction(
                user,
                markets[number % len(markets)],
                _NOTIONAL,
                leverage=1,
                side=Side(number // len(markets) % 2),
                counts_trade=counts_trade,
            )
            orders.append(Order(user, opened))
        self._traded += count
        return orders

    def closes(self, opened: Sequence[Order]) -> list[Order]:
        """Order the sale of all that these trades bought."""
        return [
            Order(
                order.user,
                instructions.close_holding(
                    self.world.program,
                    order.user.address,
                    order.user.tokens,
                    order.market,
                    order.position,
                    holding=0,
                    has_debt=False,
                ),
            )
            for order in opened
        ]

    def idle(self, opened: Sequence[Order]) -> list[Order]:
        """Order the same of a program that returns at once: all that surrounds the bytecode, and nothing else."""
        return [
            Order(
                order.user,
                Instruction(_IDLE_PROGRAM, order.instruction.data, order.instruction.accounts),
            )
            for order in opened
        ]

    def transfers(self, count: int) -> list[Order]:
        """Order bare transfers of lamports: the least that a transaction can be."""
        to = self.world.admin.pubkey()
        found = []
        for number in range(count):
            user = self.users[number % len(self.users)]
            params = TransferParams(from_pubkey=user.address, to_pubkey=to, lamports=1 + number)
            found.append(Order(user, transfer(params)))
        return found

    def signed(self, orders: Sequence[Order]) -> list[bytes]:
        """Sign orders, a transaction each, under a blockhash of their own; return wire bytes."""
        self.world.svm.expire_blockhash()
        blockhash = self.world.svm.latest_blockhash()
        return [
            sign(
                compile_message(order.user.address, [order.instruction], _BUDGET, blockhash),
                [order.user.key],
            ).wire
            for order in orders
        ]

    def land(self, wires: Sequence[bytes]) -> list[int]:
        """Read transactions from their wire bytes and execute each; return the compute units it used.

        Raises:
            TradeRefusedError: one did not succeed.
        """
        svm, used = self.world.svm, []
        for wire in wires:
            result = svm.send_transaction(VersionedTransaction.from_bytes(wire))
            if isinstance(result, FailedTransactionMetadata):
                raise TradeRefusedError(f"{result.err()}: {' | '.join(result.meta().logs()[-4:])}")
            used.append(result.compute_units_consumed())
        return used

    def landed(self, wires: Sequence[bytes]) -> list[Landed]:
        """Execute transactions, and keep what a block is charged for them.

        Raises:
            TradeRefusedError: one did not succeed.
        """
        found = []
        for wire, cu in zip(wires, self.land(wires), strict=True):
            transaction = VersionedTransaction.from_bytes(wire)
            locked = self._tables.lock(transaction.message)
            keys = locked.addresses
            written = frozenset(keys[index] for index in locked.writable)
            found.append(Landed(transaction=transaction, written=written, cu=cu))
        return found
