"""The faults of a running chain: by chance, and by name."""

from contextlib import suppress

import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from programs.localnet.admission import TransactionRefused
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.dice import Dice
from programs.localnet.fates import ReplyFate
from programs.localnet.faults import (
    ClockFaults,
    Congestion,
    EndpointFaults,
    FaultProfile,
    ForkFaults,
    ReplyFaults,
    SendingFaults,
    StreamFaults,
)
from programs.localnet.profiles import load_profile, with_settings
from programs.localnet.trouble import Trouble

SURE = 10_000


def _nobody():
    """Nobody listens."""


@pytest.fixture
def trouble(bank, payer):
    bank.advance_slot(5)  # what the payer has is final
    return Trouble(bank)


@pytest.fixture
def send(trouble, bank, pay):
    """Sends a new transfer through the only endpoint; returns its signature."""

    def sending():
        # On a finalized block: one on the newest would go when that block is taken back.
        blockhash = bank.block_at("finalized").blockhash
        transaction = pay(bank, Pubkey.new_unique(), blockhash=blockhash)
        trouble.deliver(trouble.doors[0], transaction)
        return transaction.signatures[0]

    return sending


def test_the_next_ones_vanish_when_asked_and_only_they(trouble, bank, payer, send):
    trouble.asked.lose_next(2)
    fates = [bank.status(send()) is None for _ in range(3)]
    assert fates == [True, True, False]
    assert trouble.tally["sending.lost"] == 2


def test_one_arrives_late_and_again_when_asked(trouble, bank, payer, send):
    trouble.asked.let_arrive_next(2, 3)
    signature = send()
    trouble.end_slot(_nobody)
    assert bank.status(signature) is None
    trouble.end_slot(_nobody)
    assert bank.status(signature).slot == bank.slot
    trouble.end_slot(_nobody)
    assert trouble.intake.dropped == {"AlreadyProcessed": 1}
    assert (trouble.tally["sending.late"], trouble.tally["sending.repeated"]) == (1, 1)


def test_several_copies_at_once_are_one_landing_and_no_error(trouble, bank, payer, send):
    trouble.asked.let_arrive_next(0, 0, 0)
    assert bank.status(send()).error is None


def test_a_transaction_that_cannot_land_is_refused_at_once(trouble, bank, payer, pay):
    transaction = pay(bank, Pubkey.new_unique())
    bank.execute(transaction)
    with pytest.raises(TransactionRefused, match="already landed"):
        trouble.deliver(trouble.doors[0], transaction)


@pytest.mark.parametrize("returning", [True, False])
def test_a_fork_asked_for_takes_back_what_was_confirmed(trouble, bank, payer, send, returning):
    signature = send()
    told = []
    for _ in range(2):
        trouble.end_slot(lambda: told.append(bank.slot))
    assert bank.reached(bank.status(signature).slot) == "confirmed"
    trouble.asked.fork(3, returning=returning)
    trouble.end_slot(lambda: told.append(bank.slot))
    record = bank.status(signature)
    assert (record is not None) == returning
    assert record is None or record.slot == bank.slot
    assert told == sorted(set(told))
    assert trouble.tally["fork.blocks"] == 3
    assert trouble.tally["fork.returned"] == int(returning)


def test_a_fork_below_finality_is_refused(trouble):
    with pytest.raises(ValueError, match="cannot take 4 blocks back, expected 1 to 3"):
        trouble.asked.fork(4)


def test_a_spoiled_reply_is_for_the_endpoint_and_the_method_asked_for(bank):
    trouble = Trouble(bank, endpoints=2)
    first, second = trouble.doors
    trouble.asked.spoil_next("html", method="getSlot", endpoint=1, is_done=False)
    assert trouble.reply_fate(first, "getSlot") == ReplyFate()
    assert trouble.reply_fate(second, "getHealth") == ReplyFate()
    assert trouble.reply_fate(second, "getSlot") == ReplyFate(spoilage="html", is_done=False)
    assert trouble.reply_fate(second, "getSlot") == ReplyFate()
    trouble.asked.spoil_next("hanging", 2)
    fates = [trouble.reply_fate(first, "any").spoilage for _ in range(3)]
    assert fates == ["hanging", "hanging", None]
    with pytest.raises(ValueError, match="'smoke' is none of error, "):
        trouble.asked.spoil_next("smoke")


EVERYTHING = FaultProfile(
    sending=SendingFaults(lost_bps=SURE),
    forks=ForkFaults(fork_bps=SURE),
    replies=ReplyFaults(html_bps=SURE, late_bps=SURE),
    streams=StreamFaults(lost_bps=SURE, cut_bps=SURE, silent_bps=SURE),
    clock=ClockFaults(jump_bps=SURE),
    congestion=Congestion(spam_per_slot=2),
)


def test_chance_does_nothing_before_it_is_armed(bank, payer, pay):
    trouble = Trouble(bank, EVERYTHING)
    bank.advance_slot(5)
    (door,) = trouble.doors
    transaction = pay(bank, Pubkey.new_unique())
    trouble.deliver(door, transaction)
    assert trouble.reply_fate(door, "getSlot") == ReplyFate()
    assert not trouble.is_silent(door) | trouble.is_lost(door, 1) | trouble.is_cut(door, 1)
    trouble.end_slot(_nobody)
    assert bank.status(transaction.signatures[0]).error is None
    assert +trouble.tally == {}


def test_armed_everything_that_is_certain_happens(bank, payer, pay):
    trouble = Trouble(bank, EVERYTHING)
    bank.advance_slot(5)
    trouble.arm()
    (door,) = trouble.doors
    trouble.deliver(door, pay(bank, Pubkey.new_unique()))
    assert trouble.reply_fate(door, "getSlot").spoilage == "html"
    assert trouble.is_silent(door)
    assert trouble.is_lost(door, 1)
    assert trouble.is_cut(door, 1)
    trouble.end_slot(_nobody)
    assert set(+trouble.tally) == {
        "clock.jumps",
        "fork.blocks",
        "fork.count",
        "reply.html",
        "reply.late",
        "sending.lost",
        "spam.arrived",
        "stream.cut",
        "stream.lost",
        "stream.silent",
    }
    report = trouble.report()
    assert (report["is_armed"], report["waiting"]) == (True, 2)


def test_nothing_goes_wrong_at_the_quiet_endpoint(bank, payer, pay):
    trouble = Trouble(bank, EVERYTHING)
    trouble.arm()
    quiet = trouble.quiet_door
    assert trouble.reply_fate(quiet, "getSlot") == ReplyFate()
    assert not trouble.is_silent(quiet) | trouble.is_lost(quiet, 1) | trouble.is_cut(quiet, 1)
    trouble.deliver(quiet, pay(bank, Pubkey.new_unique()))
    assert trouble.tally["sending.lost"] == 0


def test_an_endpoint_has_the_faults_that_it_alone_has(bank, payer, pay):
    own = EndpointFaults(sending=SendingFaults(lost_bps=SURE))
    trouble = Trouble(bank, FaultProfile(endpoints=(EndpointFaults(), own)), endpoints=2)
    trouble.arm()
    for door in trouble.doors:
        trouble.deliver(door, pay(bank, Pubkey.new_unique()))
    assert trouble.tally["sending.lost"] == 1


def _history(seed, fault_seed):
    """Sixty slots of a chain in heavy trouble; what landed, in order."""
    bank = Bank(BankConfig(seed=seed, confirmed_slots=1, finality_slots=8, past_blocks=12))
    payer = Keypair.from_seed(bytes([1] * 32))
    address = payer.pubkey()
    bank.airdrop(address, 10**12)
    bank.advance_slot(10)
    settings = ("congestion.spam_per_slot=4", "forks.fork_bps=2000")
    profile = with_settings(load_profile("heavy"), settings)
    trouble = Trouble(bank, profile, seed=fault_seed, endpoints=2)
    trouble.arm()
    dice = Dice(7)
    for number in range(60):
        params = TransferParams(from_pubkey=address, to_pubkey=address, lamports=number)
        blockhash = bank.block_at("confirmed").blockhash
        message = Message.new_with_blockhash([transfer(params)], address, blockhash)
        transaction = VersionedTransaction(message, [payer])
        for door in trouble.doors:
            if dice.happens(5_000, number, door.number):
                with suppress(TransactionRefused):  # its blockhash may have gone with a fork
                    trouble.deliver(door, transaction)
        trouble.end_slot(_nobody)
    landed = [record for slot in range(bank.slot + 1) for record in bank.ledger.in_slot(slot)]
    signatures = [record.signature for record in landed]
    assert len(set(signatures)) == len(signatures)
    return signatures, trouble.report()


def test_the_same_seeds_make_the_same_history_and_others_another():
    first, again, other = _history(1, 1), _history(1, 1), _history(1, 2)
    assert first == again != other
    counts = first[1]["counts"]
    assert counts["fork.taken_back"] > 0
    assert counts["sending.lost"] > 0


def test_whatever_forks_finality_is_never_taken_back_and_money_is_kept(bank, payer):
    forks = FaultProfile(forks=ForkFaults(fork_bps=4_000, blocks_max=9))
    trouble = Trouble(bank, forks, seed=3)
    trouble.arm()
    root, fates = 0, {}
    for _ in range(100):
        for slot in range(bank.slot_at("finalized") + 1):
            if slot not in fates:
                landed = [record.signature for record in bank.ledger.in_slot(slot)]
                fates[slot] = (bank.is_skipped(slot), landed)
        bank.airdrop(payer.pubkey(), 10**9)
        trouble.end_slot(_nobody)
        assert bank.slot_at("finalized") >= root
        root = bank.slot_at("finalized")
    assert trouble.tally["fork.count"] > 10
    for slot, (is_skipped, landed) in fates.items():
        assert bank.is_skipped(slot) == is_skipped
        assert [record.signature for record in bank.ledger.in_slot(slot)] == landed
    records = [r for slot in range(bank.slot + 1) for r in bank.ledger.in_slot(slot)]
    gifts = sum(
        r.post_balances[1] - r.pre_balances[1]
        for r in records
        if r.locked.addresses[1] == payer.pubkey()
    )
    assert bank.account(payer.pubkey()).lamports == gifts
