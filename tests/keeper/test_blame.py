"""keeper/blame.py: the guilty instruction is found, an innocent one never."""

import pytest
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.blame import BUDGET_INSTRUCTIONS, guilty_instruction
from programs.transaction import Budget, compile_message

CUSTOM = {"Custom": 171}


@pytest.mark.parametrize(("place", "ours"), [(3, 0), (4, 1), (5, 2)])
def test_places_count_from_the_first_instruction_of_ours(place, ours):
    assert ours == guilty_instruction({"InstructionError": [place, CUSTOM]}, 3)


@pytest.mark.parametrize("place", [0, 1, 2, 6])
def test_what_is_not_ours_blames_none_of_us(place):
    assert guilty_instruction({"InstructionError": [place, CUSTOM]}, 3) is None


@pytest.mark.parametrize(
    "err",
    [
        "AccountInUse",
        {"InsufficientFundsForRent": {"account_index": 3}},
        {"InstructionError": [4, "ComputationalBudgetExceeded"]},
    ],
)
def test_an_error_of_the_whole_transaction_blames_none_of_us(err):
    assert guilty_instruction(err, 3) is None


def test_as_many_budget_instructions_stand_before_ours_as_are_counted():
    payer = Keypair.from_seed(bytes(32)).pubkey()
    ours = Instruction(Pubkey(bytes([9] * 32)), b"ours", [])
    budget = Budget(cu_limit=1_000, cu_price_micro_lamports=0, loaded_bytes=1_000)
    message = compile_message(payer, [ours], budget, Hash.default())
    assert BUDGET_INSTRUCTIONS == [bytes(each.data) for each in message.instructions].index(b"ours")
