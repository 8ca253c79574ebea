"""A lane under test: its kit over a scripted cluster, on a virtual clock, with scans and prices as told."""

import struct
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import trio
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.execute import Kit, open_lane, watch_blockhashes
from keeper.lane_config import LaneConfig
from keeper.mirrors import following_of, mirrors_of
from keeper.newest import Newest
from keeper.prices.board import PriceBoard
from keeper.prices.outcomes import Triple, hash_of, token_bytes
from keeper.prices.price import Price, PriceClass, Reason, Source, TokenId
from keeper.snapshot import Snapshot, take_markets, take_positions
from keeper.tally import Tally
from programs import event_layout
from programs.addresses import global_address, vault_address
from programs.event_layout import EventKind
from programs.in_flight import InFlight, Pace
from programs.instructions import Tag
from programs.layout import (
    GLOBAL_DTYPE,
    MARKET_DTYPE,
    POOL_DTYPE,
    POSITION_DTYPE,
    VAULT_DTYPE,
    AccountKind,
)
from programs.rpc import Account
from programs.submit import land
from state.attempts import Attempts
from state.in_loop import InLoopStore
from tests.fakes import SLOT_S, FakeRpc, ScriptedCluster, accounts_of_each

USD = 1_000_000
PROGRAM = Pubkey(bytes([7] * 32))
GENESIS = str(Hash.default())
PAYER = Keypair.from_seed(bytes([1] * 32))
HEADER_ACCOUNTS = 8
"""Of a liquidation batch, before its positions."""


def market_address(number):
    return Pubkey(bytes([100, number]) + bytes(30))


def position_address(number):
    return Pubkey(bytes([200, number % 256, number // 256]) + bytes(29))


def token_of(number):
    return TokenId(str(1_000_000 + number))


def outcome_of(number, outcome):
    """The triple of one outcome of a multi-outcome market."""
    yes, no = (TokenId(str(2_000_000 + 100 * number + 2 * outcome + side)) for side in (0, 1))
    return Triple(condition_id=bytes([number, outcome] * 16), yes=yes, no=no)


def outcomes_of(number, outcomes):
    return [outcome_of(number, outcome) for outcome in range(outcomes)]


def group_id(number):
    """The neg-risk group that a multi-outcome market mirrors."""
    return bytes([50, number]) + bytes(30)


def market_row(number, *, slot, price_e6=500_000, prices_e6=None, **changes):
    """One market as account bytes, published in `slot`; of as many outcomes as `prices_e6` has, or two."""
    prices_e6 = (price_e6,) if prices_e6 is None else prices_e6
    pools = len(prices_e6)
    market, pool = np.zeros(1, MARKET_DTYPE), np.zeros(pools, POOL_DTYPE)
    market["kind"], market["version"], market["pools"] = AccountKind.MARKET, 1, pools
    market["outcomes"], market["market_id"] = 2 if pools == 1 else pools, number
    market["publish_slot"] = market["price_update_slot"] = slot
    token = token_bytes(token_of(number)) if pools == 1 else hash_of(outcomes_of(number, pools))
    market["condition_id"] = np.frombuffer(group_id(number), "V32")
    market["yes_token_or_hash"] = np.frombuffer(token, "V32")
    pool["price_e6"], pool["liquidity"] = prices_e6, 100_000 * USD
    for name, value in changes.items():
        market[name] = value
    return bytes(market_address(number)), market.tobytes() + pool.tobytes()


def position_row(number, *, market=0, shares=100 * USD, debt=60 * USD, margin=10 * USD):
    """One position as account bytes; at .5 the default is under water."""
    row = np.zeros(1, POSITION_DTYPE)
    row["kind"], row["version"], row["margin_bps"] = AccountKind.POSITION, 1, 500
    row["market"] = np.frombuffer(bytes(market_address(market)), "V32")
    row["shares"], row["debt"], row["margin"] = shares, debt, margin
    return bytes(position_address(number)), row.tobytes()


def liquidated(positions, *, bounty=1_000, bad_debt=7, shares_sold=USD):
    """The log line of one batch, all of it one sale."""
    kind = EventKind.POSITIONS_LIQUIDATED
    body = {"positions": len(positions), "to_keeper": bounty * len(positions)}
    data = event_layout.HEAD.pack(1, kind, 0, 0, 0, 0)
    data += event_layout.STRUCTS[kind].pack(
        *(body.get(name, 0) for name, _ in event_layout.BODIES[kind])
    )
    for position in positions:
        record = {"position": bytes(position), "bounty": bounty, "bad_debt": bad_debt}
        record["shares_sold"] = shares_sold
        values = (record.get(name, 0) for name, _ in event_layout.TAILS[kind][1])
        data += event_layout.TAIL_STRUCTS[kind].pack(*values)
    return f"Program data: {b64encode(data).decode()}"


def logs_of_liquidation(accounts, *, shares_sold=USD):
    """What the program logs when every position of a batch is liquidated."""
    inside = liquidated(accounts[HEADER_ACCOUNTS:], shares_sold=shares_sold)
    return (f"Program {PROGRAM} invoke [1]", inside, f"Program {PROGRAM} success")


@dataclass
class World:
    """What a lane sees, and what a test may look at."""

    cluster: ScriptedCluster
    rpc: FakeRpc
    store: InLoopStore
    attempts: Attempts
    kit: Kit
    nursery: trio.Nursery
    chain: Newest = field(default_factory=Newest)
    following: Newest = field(default_factory=Newest)
    proven: dict = field(default_factory=dict)
    """Tokens by claim, as if Gamma had been asked."""
    board: PriceBoard = field(default_factory=PriceBoard)
    stop: trio.Event = field(default_factory=trio.Event)

    @property
    def tally(self):
        return self.kit.tally

    def scan(self, *, markets=(), positions=(), slot=None):
        """Publish a scan."""
        rows, addresses, _ = take_positions(list(positions))
        slot = self.cluster.slot if slot is None else slot
        snapshot = Snapshot(
            slot=slot,
            global_=None,
            vault=None,
            markets=take_markets(list(markets))[0],
            positions=rows,
            addresses=addresses,
        )
        self.chain.publish(snapshot)
        self.following.publish(following_of(mirrors_of(snapshot.markets), self.proven, {}))
        return snapshot

    def prove(self, number, outcomes):
        """Let the outcomes of a market be known from its next scan on."""
        triples = outcomes_of(number, outcomes)
        self.proven[outcomes, hash_of(triples)] = tuple(triple.yes for triple in triples)

    def price(
        self,
        number=0,
        price_e6=500_000,
        price_class=PriceClass.VALID,
        *,
        outcome=None,
        age_s=0.0,
        band_e6=1_000,
    ):
        """Publish a price of market `number`, or of one of its outcomes."""
        self.board.publish(
            Price(
                token_id=token_of(number) if outcome is None else outcome_of(number, outcome).yes,
                price_e6=price_e6,
                band_e6=band_e6,
                price_class=price_class,
                source=Source.CLOB,
                received_at_s=trio.current_time() - age_s,
                content_time_ms=None,
                reason=Reason.OK if price_class is PriceClass.VALID else Reason.FALLBACK,
            )
        )

    def sent(self, tag):
        """The transactions with this instruction, in the order of their first arrival."""
        return [
            transaction
            for transaction in self.cluster.received.values()
            if bytes(transaction.message.instructions[-1].data)[0] == tag
        ]

    def posts(self):
        """Every posted reading sent, as (market number, price, class, publish slot), by transaction."""
        return [
            [
                _reading_of(transaction.message, instruction)
                for instruction in transaction.message.instructions[3:]
            ]
            for transaction in self.sent(Tag.UPDATE_PRICES)
        ]

    def batches(self):
        """The positions of every liquidation sent, by transaction."""
        return [
            [target for one in accounts_of_each(transaction) for target in one[HEADER_ACCOUNTS:]]
            for transaction in self.sent(Tag.LIQUIDATE)
        ]

    def rows(self, sql):
        return self.store.db.conn.execute(sql).fetchall()

    async def slots(self, count):
        await trio.sleep(count * SLOT_S)


def _reading_of(message, instruction):
    """One outcome's price is a number, several are a tuple."""
    market = message.account_keys[bytes(instruction.accounts)[2]]
    data = bytes(instruction.data)
    _, price_class, count, publish_slot = struct.unpack_from("<BBB5xQ", data)
    prices_e6 = struct.unpack_from("<" + "I4x" * count, data, 16)
    price_e6 = prices_e6[0] if count == 1 else prices_e6
    return bytes(market)[1], price_e6, price_class, publish_slot


def account_of(data, owner=PROGRAM):
    return Account(owner=owner, lamports=1, data=data, is_executable=False)


def put_platform(rpc, *, markets=(), positions=()):
    """Let the cluster hold a platform: genesis, vault, and these accounts."""
    for dtype, kind, address in (
        (GLOBAL_DTYPE, AccountKind.GLOBAL, global_address(PROGRAM)[0]),
        (VAULT_DTYPE, AccountKind.VAULT, vault_address(PROGRAM)[0]),
    ):
        row = np.zeros(1, dtype)
        row["kind"], row["version"] = kind, 1
        rpc.accounts[address] = account_of(row.tobytes())
    for address, data in (*markets, *positions):
        rpc.accounts[Pubkey(address)] = account_of(data)


def kit_over(rpc, store):
    """The kit of a keeper on a scripted cluster."""
    return Kit(
        rpc=rpc,
        attempts=Attempts(store),
        in_flight=InFlight(),
        blockhashes=Newest(),
        tally=Tally(),
        program=PROGRAM,
        quote_mint=Pubkey(bytes([8] * 32)),
        slot_ms=round(SLOT_S * 1_000),
    )


def lane_of(kit, name, config=None, payer=PAYER, signers=()):
    """A lane of a scripted keeper, paid by PAYER."""
    config = config or LaneConfig()
    return open_lane(
        kit, name, payer, config.purse(), concurrency=config.concurrency, signers=signers
    )


@asynccontextmanager
async def open_world():
    """Landing and blockhashes run; lanes are the test's to start in `world.nursery`."""
    cluster = ScriptedCluster(trio.current_time)
    rpc, store = FakeRpc(cluster), InLoopStore()
    kit = kit_over(rpc, store)
    pace = Pace(poll_interval_s=SLOT_S, resend_interval_s=4 * SLOT_S)
    try:
        async with trio.open_nursery() as landing:
            await landing.start(land, rpc, kit.attempts, kit.in_flight, lambda: pace)
            await landing.start(watch_blockhashes, rpc, kit.blockhashes, 2 * SLOT_S, GENESIS)
            async with trio.open_nursery() as lanes:
                yield World(cluster, rpc, store, kit.attempts, kit, lanes)
            landing.cancel_scope.cancel()
    finally:
        store.close()
