from dataclasses import replace

import pytest
from solders import compute_budget
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from programs.transaction import (
    Budget,
    Signers,
    TransactionRefused,
    compile_message,
    sign,
    whole_pages,
)

PAYER = Keypair.from_seed(bytes(32))
BUDGET = Budget(cu_limit=200_000, cu_price_micro_lamports=1_500, loaded_bytes=32 << 10)


def instruction(data=b"\x01"):
    return Instruction(
        Pubkey.new_unique(), data, [AccountMeta(PAYER.pubkey(), is_signer=True, is_writable=True)]
    )


def test_signed_bytes_verify_and_carry_each_budget_instruction_once():
    signed = sign(compile_message(PAYER.pubkey(), [instruction()], BUDGET, Hash.default()), [PAYER])
    transaction = VersionedTransaction.from_bytes(signed.wire)
    message = transaction.message
    assert signed.signature.verify(PAYER.pubkey(), to_bytes_versioned(message))
    programs = [message.account_keys[one.program_id_index] for one in message.instructions]
    assert programs[:3] == [compute_budget.ID] * 3
    assert sorted(one.data[0] for one in message.instructions[:3]) == [2, 3, 4]
    assert compute_budget.ID not in programs[3:]


def test_a_second_compute_unit_limit_is_refused():
    with pytest.raises(TransactionRefused, match="exactly once"):
        compile_message(
            PAYER.pubkey(), [compute_budget.set_compute_unit_limit(5)], BUDGET, Hash.default()
        )


def test_a_transaction_longer_than_a_packet_is_refused():
    message = compile_message(PAYER.pubkey(), [instruction(bytes(1_200))], BUDGET, Hash.default())
    with pytest.raises(TransactionRefused, match="at most 1232"):
        sign(message, [PAYER])


def test_the_bytes_are_those_of_the_constructor_whatever_the_order_of_the_signers():
    other = Keypair.from_seed(bytes([3] * 32))
    meta = AccountMeta(other.pubkey(), is_signer=True, is_writable=False)
    both = [instruction(), Instruction(Pubkey.new_unique(), b"", [meta])]
    message = compile_message(PAYER.pubkey(), both, BUDGET, Hash.default())
    expected = VersionedTransaction(message, [PAYER, other])
    for signers in ([PAYER, other], [other, PAYER]):
        assert Signers(signers).payer == signers[0].pubkey()
        signed = sign(message, signers)
        assert signed.wire == bytes(expected)
        assert signed.signature == expected.signatures[0]


@pytest.mark.parametrize("seeds", [[], [3, 4], [4, 4], [3]])
def test_signers_that_a_message_does_not_name_are_refused(seeds):
    signers = [Keypair.from_seed(bytes([seed] * 32)) for seed in seeds]
    message = compile_message(PAYER.pubkey(), [instruction()], BUDGET, Hash.default())
    with pytest.raises(TransactionRefused, match=f"expected those of {PAYER.pubkey()}"):
        sign(message, signers)


def test_a_missing_signer_is_refused():
    message = compile_message(PAYER.pubkey(), [instruction()], BUDGET, Hash.default())
    with pytest.raises(TransactionRefused, match="cannot sign"):
        sign(message, [Keypair.from_seed(bytes([1] * 32))])


@pytest.mark.parametrize(
    ("price", "limit", "fee"),
    [(0, 1, 5_000), (1, 1, 5_001), (1_500, 200_000, 5_300), (1, 1_000_001, 5_002)],
)
def test_the_priority_fee_rounds_up_as_the_chain_does(price, limit, fee):
    budget = replace(BUDGET, cu_price_micro_lamports=price, cu_limit=limit)
    assert budget.fee_lamports() == fee


@pytest.mark.parametrize(
    "wrong",
    [
        {"cu_limit": 0},
        {"cu_limit": 1_400_001},
        {"cu_price_micro_lamports": -1},
        {"loaded_bytes": 0},
        {"loaded_bytes": (64 << 20) + 1},
    ],
)
def test_a_budget_the_runtime_would_refuse_is_refused(wrong):
    with pytest.raises(TransactionRefused, match="expected"):
        replace(BUDGET, **wrong)


def test_loaded_data_is_asked_for_in_whole_pages():
    assert whole_pages(1) == 32 << 10
    assert whole_pages(32 << 10) == 32 << 10
    assert whole_pages(1 << 40) == 64 << 20
