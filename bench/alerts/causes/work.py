"""Work that does not land, lands in vain, lands twice, or is somebody else's."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

import trio
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from sqlite_utils import Database

from bench.alerts.acts import LIQUIDATOR, LIQUIDATOR_FILE, give_liquidator_a_key
from bench.alerts.cause import Cause
from bench.alerts.scene import Scene, Script, on_stage
from bench.alerts.settings import BUSY, SLOW, with_keys
from keeper.drills.platform import PROGRAM
from keeper.drills.scenario import Settings
from keeper.sandbox.cast import Role
from keeper.sandbox.floor import OpenChain, Order
from keeper.sandbox.written_orders import instructions_of
from programs.accounts import Side
from programs.chain_account import Step, StepKind
from programs.instructions import update_prices
from programs.instructions.tags import Tag
from programs.units import PRICE_ONE_E6

_OWN_PAYER: Final = with_keys(SLOW, "lanes.liquidations", key=f'"{LIQUIDATOR_FILE}"')
_FALLEN_E6: Final = 250_000
_CROWD: Final = replace(_OWN_PAYER, markets=280, positions_per_side=4)
"""More than a thousand positions on a side."""
_SHORT_SLOTS: Final = Settings(
    slot_ms=40,
    markets=40,
    tick_ms=1_000,
    wander_e6=8_000,
    is_brisk=False,
    positions_per_side=0,
    keeper=MappingProxyType({"cluster": MappingProxyType({"scan_interval_slots": 45})}),
)
"""A transaction lives for six seconds: many can expire in a minute."""
_OF_AN_END: Final = frozenset(
    {"id", "signature", "state", "slot", "err", "cu_used", "fee_lamports", "is_finalized"}
)
"""Columns of an attempt that are its own, or follow from how it ended."""
_CHAIN_SLOTS: Final = 600
_HOPELESS: Final = Step(kind=StepKind.OPEN, leverage=90, limit_e6=PRICE_ONE_E6)
_BAND_E6: Final = 5_000
_VALID: Final = 0


def _dropping(scene: Scene, payer: Pubkey) -> Callable[[], None]:
    """Let nodes take what this key pays for, and forget it; return what ends that."""
    nodes = scene.world.localnet.nodes
    before = [node.deliver for node in nodes]

    def deliver(transaction: VersionedTransaction, *, passed: Callable[..., object]) -> None:
        if transaction.message.account_keys[0] != payer:
            passed(transaction)

    for node, passed in zip(nodes, before, strict=True):
        node.deliver = partial(deliver, passed=passed)

    def end() -> None:
        for node, passed in zip(nodes, before, strict=True):
            node.deliver = passed

    return end


def _loses_liquidations(*markets: int) -> Script:
    """Markets fall, and nodes forget every liquidation, until they no longer do."""

    async def script(scene: Scene) -> None:
        scene.cause()
        end = _dropping(scene, LIQUIDATOR.pubkey())
        for market in markets:
            scene.stage.set_truth(market, _FALLEN_E6)
        await scene.fires()
        scene.mend()
        end()

    return script


async def _lose_posts(scene: Scene) -> None:
    scene.cause()
    end = _dropping(scene, scene.payer.pubkey())
    await scene.fires()
    scene.mend()
    end()


async def _outrun(scene: Scene) -> None:
    """Let a second keeper with the oracle's key post its newer price an instant before ours arrives."""
    (node,) = scene.world.localnet.nodes
    passed, bank = node.deliver, scene.bank
    markets = {place.address: number for number, place in enumerate(scene.world.platform.places)}

    def deliver(transaction: VersionedTransaction) -> object:
        message = transaction.message
        for instruction in message.instructions:
            if message.account_keys[instruction.program_id_index] != PROGRAM:
                continue
            if instruction.data[0] != Tag.UPDATE_PRICES:
                continue
            address = message.account_keys[instruction.accounts[2]]
            price_e6 = scene.stage.market(markets[address]).pools[0].price_e6
            newer = update_prices(
                PROGRAM,
                scene.payer.pubkey(),
                address,
                price_class=_VALID,
                publish_slot=bank.slot,
                readings=[(price_e6, _BAND_E6)],
            )
            blockhash = bank.block_at("processed").blockhash
            signed = Message.new_with_blockhash([newer], scene.payer.pubkey(), blockhash)
            bank.execute(VersionedTransaction(signed, [scene.payer]))
        return passed(transaction)

    scene.cause()
    node.deliver = deliver
    await scene.fires()
    scene.mend()
    node.deliver = passed


async def _sign_by_hand(scene: Scene) -> None:
    payer = scene.payer
    gift = TransferParams(
        from_pubkey=payer.pubkey(), to_pubkey=scene.cast.admin.address, lamports=1_000
    )
    scene.cause()
    await scene.land(([transfer(gift)], [payer]))
    await scene.fires()
    scene.mend()  # done is done: it is over when it lies far enough behind


async def _merge_journals(scene: Scene) -> None:
    """Let the journal hold a second landing of one effect, as the merged journals of two keepers would.

    No keeper writes that by itself: the journal has at most one open attempt of a job, also for two keepers that share it.
    """
    (store,) = scene.task.stores.stores
    scene.cause()
    await store.transaction(_land_again)
    await scene.fires()
    scene.mend()  # what is written stays: it is over when it lies far enough behind


def _land_again(db: Database) -> None:
    (last,) = db.conn.execute("SELECT max(id) FROM attempt WHERE state = 'landed'").fetchone()
    listed = [row[1] for row in db.conn.execute("PRAGMA table_info(attempt)")]
    same = ", ".join(name for name in listed if name not in _OF_AN_END)
    db.conn.execute(
        f"INSERT INTO attempt (signature, {same}) SELECT ?, {same} FROM attempt WHERE id = ?",
        [str(Signature(bytes(range(64)))), last],
    )
    (again,) = db.conn.execute("SELECT max(id) FROM attempt").fetchone()
    db.conn.execute(
        "INSERT INTO attempt_job (attempt_id, job_id, kind, target, effect) "
        "SELECT ?, job_id, kind, target, effect FROM attempt_job WHERE attempt_id = ?",
        [again, last],
    )
    db.conn.execute(
        "UPDATE attempt SET state = 'landed', is_finalized = 1, "
        "slot = (SELECT slot FROM attempt WHERE id = ?) WHERE id = ?",
        [last, again],
    )


async def _plan_the_impossible(scene: Scene) -> None:
    """Let a chain come due whose only step the program refuses, until it has expired."""
    planner, place = scene.cast.of(Role.PLANNER)[0], scene.world.platform.places[0]
    expiry_slot = scene.bank.slot + _CHAIN_SLOTS
    opened = OpenChain(
        side=Side.YES,
        deposit=200 * 10**6,
        trigger_e6=PRICE_ONE_E6 - 1_000,
        is_above=False,
        expiry_slot=expiry_slot,
        steps=(_HOPELESS,),
    )
    order = Order(actor=planner, market=place.address, purpose="chain", actions=(opened,))
    ids: Counter[Pubkey] = Counter({planner.address: 1})
    scene.cause()
    built = instructions_of(order, PROGRAM, ids, counts_trade=True)
    await scene.land((built, [planner.key]))
    await scene.fires()
    while scene.bank.slot <= expiry_slot:  # noqa: ASYNC110 - a chain has no event to wait for
        await trio.sleep(1.0)
    scene.mend()


CAUSES: Final = (
    Cause(
        rule="work_overdue",
        how="a market falls while nodes forget every liquidation they take",
        run=on_stage(
            "work_overdue", _loses_liquidations(0), _OWN_PAYER, prepare=give_liquidator_a_key
        ),
    ),
    Cause(
        rule="lane_stalled",
        how="the same for longer than a transaction lives",
        run=on_stage(
            "lane_stalled", _loses_liquidations(0), _OWN_PAYER, prepare=give_liquidator_a_key
        ),
        also=frozenset({"work_overdue"}),
    ),
    Cause(
        rule="throughput_low",
        how="280 markets fall, and nodes forget the liquidations of 1,120 positions",
        run=on_stage(
            "throughput_low",
            _loses_liquidations(*range(_CROWD.markets)),
            _CROWD,
            prepare=give_liquidator_a_key,
        ),
        also=frozenset({"work_overdue", "lane_stalled"}),
    ),
    Cause(
        rule="transactions_failing",
        how="a second keeper with our key posts a newer price just before each of ours arrives",
        run=on_stage("transactions_failing", _outrun, BUSY),
        also=frozenset({"foreign_signature", "work_overdue", "lane_stalled"}),
    ),
    Cause(
        rule="transactions_expiring",
        how="nodes forget every post they take, at slots of 40 ms",
        run=on_stage("transactions_expiring", _lose_posts, _SHORT_SLOTS),
        also=frozenset({"work_overdue", "lane_stalled"}),
    ),
    Cause(
        rule="landed_twice",
        how="the journal comes to hold a second landing of one effect, as if two keepers' were merged",
        run=on_stage("landed_twice", _merge_journals, SLOW),
    ),
    Cause(
        rule="foreign_signature",
        how="somebody sends 1,000 lamports away with the keeper's key",
        run=on_stage("foreign_signature", _sign_by_hand, SLOW),
    ),
    Cause(
        rule="chains_stuck",
        how="a chain comes due that opens with leverage 90, until it has expired",
        run=on_stage("chains_stuck", _plan_the_impossible, SLOW),
    ),
)
