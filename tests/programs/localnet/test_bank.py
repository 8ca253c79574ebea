"""The chain in process."""

import struct

import pytest
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.sysvar import CLOCK
from solders.transaction import VersionedTransaction

from programs.localnet.admission import TransactionRefused, parse_transaction
from programs.localnet.bank import Bank, BankConfig
from programs.log_limit import until_cut
from tests.incentives.cut_chain import as_kept

TABLE_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")


def test_a_transfer_lands_and_pays_its_fee(bank, payer, pay):
    to = Pubkey.new_unique()
    before = bank.account(payer.pubkey()).lamports
    signature = bank.send(bytes(pay(bank, to, 5_000_000)))
    record = bank.status(signature)
    assert record.error is None
    assert bank.account(to).lamports == 5_000_000
    assert bank.account(payer.pubkey()).lamports == before - 5_000_000 - 5_000
    assert (record.pre_balances[0], record.post_balances[1]) == (before, 5_000_000)


def test_a_failed_transaction_lands_with_its_error_and_pays_all_the_same(bank, payer, pay):
    before = bank.account(payer.pubkey()).lamports
    signature = bank.send(bytes(pay(bank, Pubkey.new_unique(), 10**18)))
    assert bank.status(signature).error == {"InstructionError": [0, {"Custom": 1}]}
    assert bank.account(payer.pubkey()).lamports == before - 5_000


def test_a_duplicate_is_refused_as_already_processed(bank, pay):
    raw = bytes(pay(bank, Pubkey.new_unique()))
    bank.send(raw)
    with pytest.raises(TransactionRefused) as refused:
        bank.send(raw)
    assert refused.value.error == "AlreadyProcessed"


def test_a_duplicate_is_still_refused_in_the_last_block_its_blockhash_is_valid(bank, pay):
    raw = bytes(pay(bank, Pubkey.new_unique()))
    bank.send(raw)
    bank.advance_slot(150)
    with pytest.raises(TransactionRefused) as refused:
        bank.send(raw)
    assert refused.value.error == "AlreadyProcessed"
    bank.advance_slot()
    with pytest.raises(TransactionRefused) as refused:
        bank.send(raw)
    assert refused.value.error == "BlockhashNotFound"


def test_a_blockhash_is_good_for_150_blocks_and_not_for_151(bank, pay):
    block = bank.block_at("processed")
    last, late = (pay(bank, Pubkey.new_unique()) for _ in range(2))
    bank.advance_slot(150)
    assert bank.block_at("processed").height == block.last_valid_height
    assert bank.is_blockhash_valid(block.blockhash)
    assert bank.status(bank.send(bytes(last))).error is None
    bank.advance_slot()
    assert not bank.is_blockhash_valid(block.blockhash)
    with pytest.raises(TransactionRefused, match="fetch a new one and sign again"):
        bank.send(bytes(late))


def test_a_refused_transaction_leaves_no_trace(bank, pay, payer):
    before = bank.account(payer.pubkey())
    transaction = pay(bank, Pubkey.new_unique(), blockhash=Hash.new_unique())
    with pytest.raises(TransactionRefused):
        bank.execute(transaction)
    assert bank.account(payer.pubkey()) == before
    assert bank.status(transaction.signatures[0]) is None


def test_a_payer_without_lamports_is_refused(bank):
    poor = Keypair()
    blockhash = bank.block_at("processed").blockhash
    message = Message.new_with_blockhash([], poor.pubkey(), blockhash)
    with pytest.raises(TransactionRefused) as refused:
        bank.execute(VersionedTransaction(message, [poor]))
    assert refused.value.error == "AccountNotFound"


def test_a_wrong_signature_is_refused(bank, pay):
    transaction = pay(bank, Pubkey.new_unique())
    other = pay(bank, Pubkey.new_unique())
    forged = VersionedTransaction.populate(transaction.message, other.signatures)
    with pytest.raises(TransactionRefused) as refused:
        bank.execute(forged)
    assert refused.value.error == "SignatureFailure"


def _padded(bank, pay, size):
    """A transfer of exactly `size` bytes, filled up by the data of a call to nowhere."""
    empty = Instruction(SYSTEM_PROGRAM, b"", [])
    room = size - len(bytes(pay(bank, SYSTEM_PROGRAM, 1, extra=[empty])))
    for filler in range(room - 3, room + 1):
        instruction = Instruction(SYSTEM_PROGRAM, bytes(filler), [])
        transaction = pay(bank, SYSTEM_PROGRAM, 1, extra=[instruction])
        if len(bytes(transaction)) == size:
            return transaction
    raise AssertionError(size)


def test_1232_bytes_are_accepted_and_1233_refused(bank, pay):
    bank.send(bytes(_padded(bank, pay, 1_232)))
    too_long = _padded(bank, pay, 1_233)
    with pytest.raises(TransactionRefused, match="1233 bytes; the limit is 1232"):
        bank.send(bytes(too_long))
    with pytest.raises(TransactionRefused, match="1233 bytes; the limit is 1232"):
        bank.execute(too_long)


def _extended_table(bank, payer, addresses):
    """Create a lookup table and fill it, by transactions."""
    recent = bank.slot - 1
    seeds = [bytes(payer.pubkey()), struct.pack("<Q", recent)]
    table, bump = Pubkey.find_program_address(seeds, TABLE_PROGRAM)
    authority = AccountMeta(payer.pubkey(), is_signer=True, is_writable=False)
    funder = AccountMeta(payer.pubkey(), is_signer=True, is_writable=True)
    system = AccountMeta(SYSTEM_PROGRAM, is_signer=False, is_writable=False)
    accounts = [AccountMeta(table, is_signer=False, is_writable=True), authority, funder, system]
    steps = [Instruction(TABLE_PROGRAM, struct.pack("<IQB", 0, recent, bump), accounts)]
    for at in range(0, len(addresses), 20):
        some = addresses[at : at + 20]
        data = struct.pack("<IQ", 2, len(some)) + b"".join(map(bytes, some))
        steps.append(Instruction(TABLE_PROGRAM, data, accounts))
    for step in steps:
        blockhash = bank.block_at("processed").blockhash
        message = Message.new_with_blockhash([step], payer.pubkey(), blockhash)
        record = bank.execute(VersionedTransaction(message, [payer]))
        assert record.error is None, record.meta.logs()
    return AddressLookupTableAccount(table, addresses)


def _touching(bank, payer, table, addresses):
    """A v0 transaction that lists `addresses` as writable, found through the table."""
    accounts = [AccountMeta(address, is_signer=False, is_writable=True) for address in addresses]
    data = struct.pack("<IQ", 2, 1_000_000)
    source = AccountMeta(payer.pubkey(), is_signer=True, is_writable=True)
    instruction = Instruction(SYSTEM_PROGRAM, data, [source, *accounts])
    blockhash = bank.block_at("processed").blockhash
    message = MessageV0.try_compile(payer.pubkey(), [instruction], [table], blockhash)
    return VersionedTransaction(message, [payer])


def test_a_lookup_table_works_in_the_slot_after_it_was_extended(bank, payer):
    addresses = [Pubkey.new_unique() for _ in range(3)]
    table = _extended_table(bank, payer, addresses)
    transaction = _touching(bank, payer, table, addresses)
    with pytest.raises(TransactionRefused):
        bank.execute(transaction)
    bank.advance_slot()
    record = bank.execute(transaction)
    assert record.error is None
    assert record.locked.loaded_writable == tuple(addresses)
    assert bank.account(addresses[0]).lamports == 1_000_000
    assert list(bank.ledger.newest_first(addresses[2])) == [record]


def test_64_locked_accounts_are_accepted_and_65_refused(bank, payer):
    addresses = [Pubkey.new_unique() for _ in range(63)]
    table = _extended_table(bank, payer, addresses)
    bank.advance_slot()
    # payer and system program make two more
    assert bank.execute(_touching(bank, payer, table, addresses[:62])).error is None
    with pytest.raises(TransactionRefused, match="locks 65 accounts; the limit is 64") as refused:
        bank.execute(_touching(bank, payer, table, addresses))
    assert refused.value.error == "TooManyAccountLocks"


def test_a_v1_message_is_refused(bank):
    transaction = VersionedTransaction.populate(MessageV1.default(), [Signature.default()])
    with pytest.raises(TransactionRefused) as refused:
        bank.execute(transaction)
    assert refused.value.error == "UnsupportedVersion"


@pytest.mark.parametrize("raw", [b"", bytes(10), b"\xff" * 100, b"\x01" * 1_232])
def test_bytes_that_are_no_transaction_are_refused(raw):
    with pytest.raises(TransactionRefused, match="no well-formed transaction"):
        parse_transaction(raw)


def test_an_account_is_read_as_it_was_at_each_commitment(bank, pay):
    to = Pubkey.new_unique()
    bank.advance_slot(3)
    for _ in range(4):
        bank.execute(pay(bank, to, 1_000_000))
        bank.advance_slot()
    lamports = {
        level: account.lamports
        for level in ("processed", "confirmed", "finalized")
        if (account := bank.account(to, level))
    }
    assert lamports == {"processed": 4_000_000, "confirmed": 4_000_000, "finalized": 2_000_000}


def test_program_accounts_are_those_of_the_commitment(bank):
    program = Pubkey.new_unique()
    gone, kept, new = (Pubkey.new_unique() for _ in range(3))
    bank.set_account(gone, Account(10**9, b"a", program))
    bank.set_account(kept, Account(10**9, b"b", program))
    bank.advance_slot(4)
    bank.set_account(gone, Account(10**9, b"a", SYSTEM_PROGRAM))
    bank.set_account(kept, Account(10**9, b"c", program))
    bank.set_account(new, Account(10**9, b"d", program))
    assert {(a, x.data) for a, x in bank.program_accounts(program)} == {(kept, b"c"), (new, b"d")}
    before = {(gone, b"a"), (kept, b"b")}
    assert {(a, x.data) for a, x in bank.program_accounts(program, "finalized")} == before


def test_a_record_climbs_the_commitments_by_depth(bank, pay):
    record = bank.execute(pay(bank, Pubkey.new_unique()))
    seen = []
    for _ in range(4):
        seen.append(bank.reached(record.slot))
        bank.advance_slot()
    assert seen == ["processed", "confirmed", "confirmed", "finalized"]


def test_simulation_keeps_nothing(bank, pay):
    to = Pubkey.new_unique()
    simulation = bank.simulate(pay(bank, to, 1_000_000))
    assert simulation.error is None
    assert simulation.post_accounts[to].lamports == 1_000_000
    assert bank.account(to) is None


def test_simulation_can_leave_signatures_and_blockhash_aside(bank, pay):
    signed = pay(bank, Pubkey.new_unique(), blockhash=Hash.new_unique())
    unsigned = VersionedTransaction.populate(signed.message, [Signature.default()])
    assert bank.simulate(unsigned, check_blockhash=False).error == "SignatureFailure"
    assert bank.simulate(unsigned, verify_signatures=False).error == "BlockhashNotFound"
    lenient = bank.simulate(unsigned, verify_signatures=False, check_blockhash=False)
    assert lenient.error is None
    with pytest.raises(TransactionRefused):
        bank.execute(
            VersionedTransaction.populate(pay(bank, SYSTEM_PROGRAM).message, [Signature.default()])
        )


def test_the_clock_moves_with_the_slots(bank):
    bank.advance_slot(10)
    slot, _, epoch, _, unix_s = struct.unpack("<QqQQq", bank.account(CLOCK).data)
    assert (slot, epoch) == (bank.slot, 0)
    assert unix_s == bank.config.genesis_unix_s + bank.slot * 400 // 1_000


def test_equal_seeds_make_equal_chains_and_others_do_not():
    first, again, other = (Bank(BankConfig(seed=seed)) for seed in (1, 1, 2))
    for chain in (first, again, other):
        chain.advance_slot(5)
    assert first.genesis_hash == again.genesis_hash != other.genesis_hash
    assert first.faucet == again.faucet
    tips = [chain.block_at("processed").blockhash for chain in (first, again, other)]
    assert tips[0] == tips[1] != tips[2]


def test_equal_airdrops_in_one_slot_have_different_signatures(bank):
    to = Pubkey.new_unique()
    assert bank.airdrop(to, 10**9) != bank.airdrop(to, 10**9)
    assert bank.account(to).lamports == 2 * 10**9


def test_an_airdrop_that_cannot_be_paid_says_so(bank):
    with pytest.raises(TransactionRefused, match="could not pay"):
        bank.airdrop(Pubkey.new_unique(), 2**63)


def test_old_records_are_dropped_and_the_rest_stays_whole(pay):
    bank = Bank(BankConfig(records_max=3))
    payer = Keypair.from_seed(bytes([1] * 32)).pubkey()
    first = bank.airdrop(payer, 10**12)
    to = Pubkey.new_unique()
    for _ in range(3):
        bank.advance_slot()
        last = bank.send(bytes(pay(bank, to)))
    again = [bank.execute(pay(bank, to)).index for _ in range(5)]
    assert again == [1, 2, 3, 4, 5]
    assert bank.status(first) is None
    last = bank.send(bytes(pay(bank, to)))
    assert bank.status(last) is not None
    assert len(list(bank.ledger.newest_first(to))) == 3
    assert bank.ledger.landed_count == 10
    assert len(bank.ledger.in_slot(bank.slot)) == 3
    assert bank.ledger.in_slot(1) == ()
    assert bank.ledger.oldest_slot == bank.slot + 1


@pytest.mark.parametrize(
    "wrong",
    [{"slot_ms": 0}, {"confirmed_slots": 32}, {"confirmed_slots": -1}, {"records_max": 0}],
)
def test_a_chain_that_could_not_run_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BankConfig(**wrong)


def test_a_priority_fee_counts_in_the_fee_and_in_the_recent_fees(bank, payer, pay):
    bank.advance_slot()
    budget = [set_compute_unit_limit(10_000), set_compute_unit_price(2_000_000)]
    transaction = pay(bank, Pubkey.new_unique(), extra=budget)
    assert bank.fee_lamports(transaction.message) == 5_000 + 20_000
    bank.execute(transaction)
    assert bank.recent_fees.floor([payer.pubkey()])[-1] == (bank.slot, 2_000_000)
    bank.execute(pay(bank, Pubkey.new_unique()))
    assert bank.recent_fees.floor([payer.pubkey()])[-1] == (bank.slot, 0)


def test_logs_are_kept_as_a_node_with_that_limit_keeps_them(payer, pay):
    memo = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
    noise = [set_compute_unit_limit(1_400_000), *[Instruction(memo, b"", [])] * 44]
    kept = {}
    for limit in (5_000, 10_000, None):
        bank = Bank(BankConfig(log_bytes_max=limit))
        bank.airdrop(payer.pubkey(), 10**12)
        signature = bank.send(bytes(pay(bank, Pubkey.new_unique(), 5_000_000, extra=noise)))
        kept[limit] = list(bank.status(signature).meta.logs())
    whole = kept[None]
    assert sum(map(len, whole)) > 10_000
    assert BankConfig().log_bytes_max == 10_000
    for limit in (5_000, 10_000):
        assert kept[limit] == as_kept(whole, limit)
        assert "Log truncated" in kept[limit]
    assert list(until_cut(whole)[0]) == list(until_cut(kept[10_000])[0])
