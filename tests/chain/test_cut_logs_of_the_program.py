"""The rules over what the program did in transactions whose logs are cut: read from nodes of two kinds, and compared with it."""

from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import Instruction
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import Transaction, VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata
from test_rewards_of_the_program import WanderingRewards
from watched import WatchedPlatform

from incentives.lines import Anomaly
from incentives.reading.extraction import events_of
from incentives.reading.known import Known
from incentives.reading.sequences import advanced
from incentives.sourced import SourcedEvent
from incentives.unread import Unread, is_unread
from programs.accounts import Maker, Position
from programs.event_layout import EventKind
from programs.events import decode
from programs.instructions.tags import Tag
from programs.localnet.transaction_json import inner_instructions
from programs.log_limit import LOG_BYTES_MAX
from programs.rpc_replies import read_block
from tests.incentives.cut_chain import as_kept

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
NOISE = [Instruction(MEMO, b"", [])] * 44
"""Each of them takes three bytes of a transaction, and 240 of its logs."""
SETTINGS = settings(
    max_examples=12,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@dataclass
class Node:
    """Who reads the chain from a node that keeps so much."""

    log_bytes_max: int | None
    known: Known = field(default_factory=Known)
    series: dict = field(default_factory=dict)
    unsettled: frozenset = frozenset()
    events: list[SourcedEvent] = field(default_factory=list)

    def read(self, found, logs, program):
        found["transactions"][0]["meta"]["logMessages"] = as_kept(logs, self.log_bytes_max)
        block = read_block(found, found["parentSlot"] + 1)
        read = list(events_of(block, program, self.known))
        advance = advanced(self.series, self.unsettled, read)
        self.series |= advance.moved
        self.unsettled = advance.unsettled
        self.events += [each.event for each in read if each.is_kept]


@dataclass(repr=False)
class NoisyPlatform(WatchedPlatform):
    """Somebody logs a lot before some transactions; what they did is read as from a cluster."""

    svm: LiteSVM = field(default_factory=lambda: LiteSVM().with_log_bytes_limit(None))
    chance: Random = field(default_factory=lambda: Random(7))
    nodes: list = field(default_factory=lambda: [Node(LOG_BYTES_MAX), Node(None)])
    sent: int = 0

    @property
    def told(self):
        """What the first node gives."""
        first, second = self.nodes
        assert first.events == second.events
        assert first.series == second.series
        return first.events

    def try_send(self, ixs, signers):
        # Genesis is ours alone: nobody else can sign in its transaction.
        ours = [bytes(ix.data)[0] for ix in ixs if ix.program_id == self.program]
        if ours and ours[0] != Tag.INITIALIZE and self.chance.random() < 0.5:
            ixs = [*NOISE, *ixs]
        result = super().try_send(ixs, signers)
        if not isinstance(result, FailedTransactionMetadata):
            self._tell(ixs, signers, result)
        return result

    def _tell(self, ixs, signers, meta):
        self.sent += 1
        message = Message([set_compute_unit_limit(1_400_000), *ixs], signers[0].pubkey())
        wire = Transaction.new_unsigned(message)
        signatures = [Signature(self.sent.to_bytes(64, "big"))] * len(wire.signatures)
        wire = bytes(VersionedTransaction.populate(message, signatures))
        found = {
            "parentSlot": self.slot - 1,
            "blockhash": str(Hash.default()),
            "transactions": [
                {
                    "transaction": [b64encode(wire).decode(), "base64"],
                    "meta": {
                        "err": None,
                        "fee": 5_000,
                        "innerInstructions": inner_instructions(meta),
                    },
                }
            ],
        }
        # Several transactions of a slot stand in one block; here each is alone, so they are told apart by their number.
        for node in self.nodes:
            before = len(node.events)
            node.read(found, meta.logs(), self.program)
            node.events[before:] = [_placed(each, self.sent) for each in node.events[before:]]


def _placed(event, number):
    place = event.place
    return SourcedEvent(
        type(place)(place.slot, number, place.instruction, place.inner),
        event.signature,
        event.payload,
    )


class WanderingWithCutLogs(WanderingRewards):
    """What is not certain of an instruction nobody can read may only be to the cost of whoever signed it, or in doubt."""

    platform_type = NoisyPlatform
    unread: ClassVar[Counter] = Counter()

    def _note(self, event):
        if not hasattr(self, "doubtful"):
            self.doubtful = set()
        if is_unread(event.payload):
            unread = Unread.from_payload(event.payload)
            self.unread[unread.tag] += 1
            if unread.tag is Tag.LIQUIDATE:
                self.doubtful |= set(unread.targets)
            if unread.tag is Tag.CREATE_MARKET:
                self.markets_by_id[Pubkey.from_bytes(unread.account)] = unread.series
            return
        told = decode(event.payload)
        if told.kind is EventKind.MARKET_CREATED:
            self.markets_by_id[told.address("market")] = told.series

    def _keep(self, line):
        if isinstance(line, Anomaly) and line.kind == "unknown_liquidity":
            self.seen[line.kind] += 1
        else:
            super()._keep(line)

    def _compare_trades(self, trades):
        for address, trade in trades.items():
            where = Pubkey.from_bytes(address)
            if where in self.platform.chains:
                held = self.platform.chain(where).position.shares
            else:
                held = Position.from_bytes(self.platform.data(where)).shares
            if address in self.doubtful:
                assert held <= trade.held
            else:
                assert held == trade.held

    def _compare_deposits(self, book):
        there, doubtful = Counter(), set()
        for maker in map(Maker.from_bytes, self.platform.existing(self.platform.makers)):
            key = self.markets_by_id[maker.market], maker.pool, bytes(maker.owner)
            there[key] += maker.liquidity
        for owner, address in self.chains:
            if bytes(address) in self.doubtful:
                doubtful.add(bytes(owner.address))
            if self.platform.exists(address):
                chain = self.platform.chain(address)
                key = self.markets_by_id[chain.market], chain.pool, bytes(chain.owner)
                there[key] += chain.maker.liquidity
        known = Counter()
        for deposit in book.deposits():
            known[deposit.market, deposit.pool, deposit.wallet] += deposit.held
        for key, held in known.items():
            assert held <= there[key] or key[2] in doubtful


def test_whatever_anybody_does_with_cut_logs_no_mmt_is_lost_invented_or_paid_twice():
    WanderingWithCutLogs.unread.clear()
    run_state_machine_as_test(WanderingWithCutLogs, settings=SETTINGS)
    assert {
        Tag.OPEN_POSITION,
        Tag.CLOSE_POSITION,
        Tag.ADD_LIQUIDITY,
        Tag.REMOVE_LIQUIDITY,
        Tag.CANCEL_CHAIN,
        Tag.EXECUTE_CHAIN,
        Tag.LIQUIDATE,
        Tag.POST_EPOCH,
        Tag.PAY_REWARDS,
    } <= set(WanderingWithCutLogs.unread)
