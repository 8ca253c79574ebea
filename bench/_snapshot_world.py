"""A platform of thousands of markets as the real program leaves it: made, priced, traded, liquidated, chained, swept.

The sandbox's actors decide, out of a few thousand wallets of which few trade much; prices take the sandbox's path, with its
jumps; everything lands on the committed bytecode in process. Few markets are busy and most are quiet, as on any venue.
A world takes minutes to make, so it is kept beside the temporary files and read again by the next run.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

import spl.token.instructions as spl
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from spl.token.models import MintToParams

from keeper.sandbox.cast import Actor, Cast, Role
from keeper.sandbox.floor import Close, Floor, Held, Open, OpenChain, Order, PlannedChain
from keeper.sandbox.planning import plan_chains
from keeper.sandbox.trading import Plan, plan_orders
from keeper.sandbox.venue.price_path import PathShape, PathState, path_start, path_step
from keeper.sandbox.written_orders import instructions_of
from programs import addresses, instructions
from programs.accounts import Global, Market, Position, Side, Vault
from programs.betting_platform.build import PROGRAM_SO
from programs.chain_account import Chain, ChainStatus
from programs.deploy import ProgramImage
from programs.localnet.admission import TransactionRefused
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.genesis import deploy_immutable, found_platform, program_keypair
from programs.units import TRANSACTION_CU_MAX

USD: Final = 1_000_000
_EDITION: Final = 1
"""Of the rules below: a world made by other ones is made anew."""
_SEED: Final = 8
_STAKE: Final = 50_000_000 * USD
_SHAPE: Final = PathShape(volatility_e6=6_000, jump_every_ticks=25)
_CLAMP_SLOTS: Final = 5
_GROUP_ONE_IN: Final = 12
"""Markets of several outcomes, each with a pool of its own."""
_IDLE_ONE_IN: Final = 6
"""Markets that are priced and have no maker yet."""
_ROUNDS_MAX: Final = 60
_NEXT_SLOTS: Final = 150
"""Between the two states: a minute."""
_NEXT_ROUNDS_PERCENT: Final = 4
"""Rounds that fall into that minute, of all there were."""
_PROGRAM: Final = program_keypair(0)
_COUNTS_TRADE: Final = True

Accounts = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class States:
    """Every account of the program, (address, data), at a slot and a minute later."""

    program: bytes
    genesis_hash: bytes
    slots: tuple[int, int]
    first: Accounts
    following: Accounts


def states(markets: int, wallets: int) -> States:
    """Return the two states of a world of that size; made once, kept in the temporary folder."""
    path = Path(tempfile.gettempdir()) / f"betting-world-{_fingerprint()}-{markets}-{wallets}"
    if not path.exists():
        made = make_states(markets, wallets)
        _keep(made, path)
    return _kept(path)


def make_states(
    markets: int, wallets: int, next_rounds_percent: int = _NEXT_ROUNDS_PERCENT
) -> States:
    """Make a world of that size, some ten milliseconds a market."""
    return _World(markets, wallets).states(next_rounds_percent)


def _fingerprint() -> str:
    return hashlib.sha256(PROGRAM_SO.read_bytes() + bytes([_EDITION])).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wallet(Actor):
    """An actor whose address is not computed at every look."""

    known: Pubkey

    @property
    def address(self) -> Pubkey:
        return self.known


class _World:
    """The platform while it is being lived on."""

    def __init__(self, markets: int, wallets: int) -> None:
        self.random = Random(_SEED)
        self.bank = Bank(BankConfig(seed=0, records_max=1, finality_slots=2, log_bytes_max=64))
        image = ProgramImage(program=_PROGRAM, code=PROGRAM_SO.read_bytes())
        deploy_immutable(self.bank, image)
        found_platform(self.bank, _PROGRAM)
        self.program = _PROGRAM.pubkey()
        genesis = self.bank.account(addresses.global_address(self.program)[0])
        assert genesis is not None, "it was founded"
        self.mint = Global.from_bytes(genesis.data).quote_mint
        self.next_id: Counter[Pubkey] = Counter()
        self.landed: Counter[str] = Counter()
        self.markets: list[Pubkey] = []
        self.paths: list[PathState] = []
        self.held: dict[Pubkey, dict[Pubkey, Actor]] = {}
        self.chains: dict[Pubkey, dict[Pubkey, Actor]] = {}
        self.actors = [self._actor(Role.TRADER, f"wallet {at}") for at in range(wallets)]
        self.makers = [
            self._actor(Role.MAKER, f"maker {at}") for at in range(max(8, wallets // 40))
        ]
        self.keeper = self._actor(Role.STAKER, "keeper")
        staked = instructions.stake(
            self.program, self.keeper.address, self.keeper.tokens, amount=_STAKE
        )
        self._land("stake", [staked], self.keeper.key)
        for number in range(markets):
            self._create(number)
            if number % 20 == 0:
                self._say(f"{number} of {markets} markets")
                self.bank.advance_slot(self.random.randint(1, 40))

    def states(self, next_rounds_percent: int) -> States:
        """Live through all rounds; then through a minute more."""
        rounds = [
            number for number in range(len(self.markets)) for _ in range(self._rounds(number))
        ]
        self.random.shuffle(rounds)
        for done, number in enumerate(rounds):
            self._round(number, done)
            if done % 500 == 0:
                self._say(f"{done} of {len(rounds)} rounds, {dict(self.landed)}")
        slot, first = self.bank.slot, self._accounts()
        busy = self.random.sample(rounds, max(1, len(rounds) * next_rounds_percent // 100))
        for done, number in enumerate(busy):
            self._round(number, len(rounds) + done, advance=done * _NEXT_SLOTS // len(busy))
            while self.bank.slot < slot + (done + 1) * _NEXT_SLOTS // len(busy):
                self.bank.advance_slot()
        return States(
            program=bytes(self.program),
            genesis_hash=bytes(self.bank.genesis_hash),
            slots=(slot, self.bank.slot),
            first=first,
            following=self._accounts(),
        )

    def _rounds(self, number: int) -> int:
        if number % _IDLE_ONE_IN == 0:
            return 1
        return min(_ROUNDS_MAX, 1 + int(self.random.lognormvariate(0.6, 1.1)))

    def _round(self, number: int, tick: int, advance: int | None = None) -> None:
        """Let one market's price move, and whoever is about act on it."""
        address = self.markets[number]
        if advance is None:
            self.bank.advance_slot(self.random.choice((0, 0, 1, 1, 2)))
        before, vault = self._market(address), self._vault()
        self.paths[number] = path_step(_SHAPE, self.paths[number], _SEED, number, tick)
        self._post(address, before, self.paths[number].price_e6)
        if not before.pools[0].liquidity:
            return
        market = self._market(address)
        for pool in range(1, len(market.pools)):
            self._spot(address, pool)
        plan = Plan(seed=_SEED, tick=tick, positions_per_side=2, stake=0)
        cast = self._cast(number)
        floor = Floor(
            slot=self.bank.slot,
            address=address,
            market=market,
            vault=vault,
            held=self._held(address, cast),
            chains=self._planned(address),
        )
        self._liquidate(address, floor)
        if len(market.pools) == 1:
            for order in plan_orders(plan, cast, floor):
                self._act(order)
            for order in plan_chains(plan, cast.of(Role.PLANNER), floor):
                self._act(order)
            self._execute_chains(address)
        if self.random.random() < 0.05:
            self._land("sweep", [instructions.sweep_fees(self.program, address)])

    def _cast(self, number: int) -> Cast:
        """Return who is about in a market this time: a few of many, some of them everywhere."""
        few = Random(_SEED * 1_000_003 + number)
        regulars = [self._draw(few) for _ in range(6)]
        passing = [self._draw(self.random) for _ in range(3)]
        roles = [Role.TRADER] * 4 + [Role.INVESTOR] * 2
        roles += [Role.NOISE, Role.NOISE, Role.PLANNER]
        actors = [
            replace(actor, role=role) for role, actor in zip(roles, regulars + passing, strict=True)
        ]
        robot = self.actors[number % 16]
        actors.append(replace(robot, role=Role.ARBITRAGEUR))
        return Cast(quote_mint=_PROGRAM, mmt_mint=_PROGRAM, actors=tuple(actors))

    def _draw(self, random: Random) -> Actor:
        return self.actors[int(len(self.actors) * random.random() ** 3)]

    def _create(self, number: int) -> None:
        outcomes = 2 if number % _GROUP_ONE_IN else 3 + self.random.randrange(4)
        start = path_start(_SEED, number)
        skewed = self.random.choice((start.price_e6, self.random.randint(30_000, 970_000)))
        self.paths.append(PathState(price_e6=skewed, anchor_e6=skewed))
        prices = [skewed] if outcomes == 2 else _shares(skewed, outcomes)
        condition = hashlib.sha256(f"condition {number}".encode()).digest()
        yes, no = (hashlib.sha256(f"{side} {number}".encode()).digest() for side in ("yes", "no"))
        created = instructions.create_market(
            self.program,
            self.bank.faucet.pubkey(),
            self.mint,
            condition_id=condition,
            outcomes=outcomes,
            yes_token_or_hash=yes,
            no_token=no if outcomes == 2 else bytes(32),
            prices_e6=prices,
        )
        self._land("create", [created])
        address = addresses.market_address(self.program, condition)[0]
        self.markets.append(address)
        self.held[address], self.chains[address] = {}, {}
        if number % _IDLE_ONE_IN == 0:
            return
        for _ in range(self.random.choice((1, 1, 1, 2))):
            maker = self.random.choice(self.makers)
            for pool in range(len(prices)):
                depth = self.random.choice((5, 10, 20, 25, 50, 100, 250)) * 1_000 * USD
                if self.random.random() < 0.3:
                    depth = int(depth * self.random.uniform(0.5, 2.0))
                self._provide(maker, address, pool, depth)

    def _provide(self, maker: Actor, market: Pubkey, pool: int, depth: int) -> None:
        added = instructions.add_liquidity(
            self.program,
            maker.address,
            maker.tokens,
            market,
            pool=pool,
            liquidity=depth,
            cash_max=2**62,
            position_id=self._id(maker),
        )
        self._land("liquidity", [added], maker.key)

    def _post(self, address: Pubkey, market: Market, price_e6: int) -> None:
        count = len(market.pools)
        prices = [price_e6] if count == 1 else _shares(price_e6, count)
        bands = [self.random.choice((500, 1_000, 2_500, 5_000, 5_500)) for _ in prices]
        posted = instructions.update_prices(
            self.program,
            self.bank.faucet.pubkey(),
            address,
            price_class=int(self.random.random() < 0.03),
            publish_slot=self.bank.slot - self.random.randrange(3),
            readings=list(zip(prices, bands, strict=True)),
        )
        self._land("prices", [posted])

    def _spot(self, market: Pubkey, pool: int) -> None:
        actor = self._draw(self.random)
        opened = instructions.open_position(
            self.program,
            actor.address,
            actor.tokens,
            market,
            pool=pool,
            side=Side(self.random.randrange(2)),
            position_id=self._id(actor),
            margin=self.random.randint(20, 300) * USD,
            leverage=1,
            worst_price_e6=1_000_000,
            counts_trade=_COUNTS_TRADE,
        )
        self._land("spot", [opened], actor.key)

    def _act(self, order: Order) -> None:
        first = self.next_id[order.actor.address]
        built = instructions_of(order, self.program, self.next_id, counts_trade=_COUNTS_TRADE)
        budget = set_compute_unit_limit(TRANSACTION_CU_MAX)
        if not self._land(order.purpose, [budget, *built], order.actor.key):
            return
        owner, market = order.actor.address, order.market
        number = first
        for action in order.actions:
            if isinstance(action, Open):
                at = addresses.position_address(self.program, market, owner, number)[0]
                self.held[market][at] = order.actor
                number += 1
            elif isinstance(action, OpenChain):
                at = addresses.chain_address(self.program, market, owner, number)[0]
                self.chains[market][at] = order.actor
                number += 1
            elif isinstance(action, Close):
                at = addresses.position_address(self.program, market, owner, action.position_id)[0]
                if self.bank.account(at) is None:
                    self.held[market].pop(at, None)

    def _liquidate(self, market: Pubkey, floor: Floor) -> None:
        due = [
            addresses.position_address(self.program, market, held.owner.address, held.position_id)[
                0
            ]
            for held in floor.held
            if held.debt and _is_weak(held, floor.market.pools[0].price_e6)
        ]
        if due:
            listed = instructions.liquidate(
                self.program, self.keeper.address, self.keeper.tokens, market, due[:20]
            )
            budget = set_compute_unit_limit(TRANSACTION_CU_MAX)
            self._land("liquidate", [budget, listed], self.keeper.key)

    def _execute_chains(self, market: Pubkey) -> None:
        for planned in self._planned(market):
            chain = planned.chain
            if chain.status is not ChainStatus.RUNNING or not _is_due(chain, self._market(market)):
                continue
            run = instructions.execute_chain(
                self.program,
                self.keeper.address,
                self.keeper.tokens,
                market,
                planned.address,
                first_step=chain.next_step,
                step_count=5,
                counts_trade=_COUNTS_TRADE,
            )
            budget = set_compute_unit_limit(TRANSACTION_CU_MAX)
            self._land("execute", [budget, run], self.keeper.key)

    def _held(self, market: Pubkey, cast: Cast) -> list[Held]:
        found = []
        roles = {actor.address: actor for actor in cast.actors}
        for address, actor in list(self.held[market].items()):
            account = self.bank.account(address)
            if account is None:
                del self.held[market][address]
                continue
            position = Position.from_bytes(account.data)
            if position.pool == 0:
                held = Held(
                    owner=roles.get(position.owner, actor),
                    position_id=position.position_id,
                    side=Side(position.side),
                    shares=position.shares,
                    debt=position.debt,
                    notional=position.notional,
                )
                found.append(held)
        return found

    def _planned(self, market: Pubkey) -> list[PlannedChain]:
        found = []
        for address, actor in list(self.chains[market].items()):
            account = self.bank.account(address)
            if account is None:
                del self.chains[market][address]
                continue
            chain = Chain.from_bytes(account.data)
            found.append(PlannedChain(owner=actor, address=address, chain=chain))
        return found

    def _actor(self, role: Role, name: str) -> Actor:
        key = Keypair.from_seed(hashlib.sha256(name.encode()).digest())
        faucet, owner = self.bank.faucet.pubkey(), key.pubkey()
        self.bank.airdrop(owner, 10**12)  # type: ignore[arg-type]  # lamports
        tokens = spl.get_associated_token_address(owner, self.mint)
        mint = MintToParams(
            program_id=addresses.TOKEN_PROGRAM,
            mint=self.mint,
            dest=tokens,
            mint_authority=faucet,
            amount=1_000_000_000 * USD,
        )
        created = spl.create_idempotent_associated_token_account(faucet, owner, self.mint)
        self._land("fund", [created, spl.mint_to(mint)])
        self.next_id[owner] = 1
        return _Wallet(role=role, key=key, tokens=tokens, known=owner)

    def _id(self, actor: Actor) -> int:
        self.next_id[actor.address] += 1
        return self.next_id[actor.address] - 1

    def _market(self, address: Pubkey) -> Market:
        account = self.bank.account(address)
        assert account is not None, "markets stay"
        return Market.from_bytes(account.data)

    def _vault(self) -> Vault:
        account = self.bank.account(addresses.vault_address(self.program)[0])
        assert account is not None, "it was founded"
        return Vault.from_bytes(account.data)

    def _land(self, purpose: str, listed: Sequence[Instruction], *signers: Keypair) -> bool:
        faucet = self.bank.faucet
        blockhash = self.bank.block_at("processed").blockhash
        message = MessageV0.try_compile(faucet.pubkey(), list(listed), [], blockhash)
        try:
            record = self.bank.execute(VersionedTransaction(message, [faucet, *signers]))
        except TransactionRefused:  # the same bytes twice in a slot
            self.landed[f"{purpose} refused"] += 1
            return False
        self.landed[purpose if record.error is None else f"{purpose} failed"] += 1
        return record.error is None

    def _accounts(self) -> Accounts:
        found = self.bank.program_accounts(self.program)
        return [(bytes(address), account.data) for address, account in found]

    def _say(self, line: str) -> None:
        print(f"world: {line}", file=sys.stderr)


def _is_weak(held: Held, yes_e6: int) -> bool:
    """Whether a liquidation is worth a try."""
    price_e6 = yes_e6 if held.side is Side.YES else 1_000_000 - yes_e6
    equity = held.shares * price_e6 // 1_000_000 - held.debt
    return equity < max((held.notional - held.debt) // 10, held.shares // 50)


def _is_due(chain: Chain, market: Market) -> bool:
    yes_e6 = market.pools[chain.pool].price_e6
    price_e6 = yes_e6 if chain.side is Side.YES else 1_000_000 - yes_e6
    return price_e6 >= chain.trigger_e6 if chain.is_above else price_e6 <= chain.trigger_e6


def _shares(first_e6: int, count: int) -> list[int]:
    """Split one over outcomes, the first one's price given."""
    rest = (1_000_000 - first_e6) // (count - 1)
    return [first_e6, *[max(rest, 1_000)] * (count - 1)]


def _keep(made: States, path: Path) -> None:
    head = {
        "program": made.program.hex(),
        "genesis_hash": made.genesis_hash.hex(),
        "slots": made.slots,
        "lengths": [[len(data) for _, data in one] for one in (made.first, made.following)],
    }
    joined = b"".join(a + d for one in (made.first, made.following) for a, d in one)
    half = path.with_suffix(f".{os.getpid()}")
    half.write_bytes(json.dumps(head).encode() + b"\n" + joined)
    half.rename(path)


def _kept(path: Path) -> States:
    first_line, _, joined = path.read_bytes().partition(b"\n")
    head = json.loads(first_line)

    def pairs() -> Iterator[Accounts]:
        at = 0
        for lengths in head["lengths"]:
            found = []
            for length in lengths:
                found.append((joined[at : at + 32], joined[at + 32 : at + 32 + length]))
                at += 32 + length
            yield found

    first, following = pairs()
    return States(
        program=bytes.fromhex(head["program"]),
        genesis_hash=bytes.fromhex(head["genesis_hash"]),
        slots=(head["slots"][0], head["slots"][1]),
        first=first,
        following=following,
    )
