"""programs/errors.py: transaction errors in words."""

import pytest
from solders.transaction_status import InstructionErrorFieldless, TransactionErrorFieldless

from programs.errors import BY_NAME, custom_code, in_words
from programs.runtime_errors import OF_INSTRUCTIONS, OF_TRANSACTIONS

RESOLVED = BY_NAME["MARKET_NOT_OPEN"].code


@pytest.mark.parametrize(
    ("err", "code"),
    [
        ({"InstructionError": [3, {"Custom": RESOLVED}]}, RESOLVED),
        ({"InstructionError": [3, "InvalidAccountData"]}, None),
        ({"InstructionError": [3, {"Custom": "121"}]}, None),
        ("AccountInUse", None),
        (None, None),
    ],
)
def test_the_programs_code_is_read_out_of_an_error_that_has_one(err, code):
    assert code == custom_code(err)


def test_the_programs_own_code_is_told_in_its_words():
    assert in_words({"InstructionError": [3, {"Custom": RESOLVED}]}).startswith("MARKET_NOT_OPEN: ")


@pytest.mark.parametrize(
    ("err", "words"),
    [
        (
            "BlockhashNotFound",
            "BlockhashNotFound: its blockhash is too old, or not known there yet",
        ),
        (
            {"InstructionError": [5, "ComputationalBudgetExceeded"]},
            "instruction 5: ComputationalBudgetExceeded: its compute units ran out",
        ),
        (
            {"InsufficientFundsForRent": {"account_index": 2}},
            "InsufficientFundsForRent: its account 2 would be left without its rent",
        ),
        ({"DuplicateInstruction": 4}, "DuplicateInstruction: instruction 4 is there twice"),
        ("OfALaterRelease", "OfALaterRelease"),
        ({"InstructionError": [1, "OfALaterRelease"]}, "instruction 1: OfALaterRelease"),
        ({"Of": ["another", "form"]}, '{"Of": ["another", "form"]}'),
        (None, "null"),
    ],
)
def test_what_the_runtime_says_is_told_in_words_and_what_nobody_knows_as_it_is(err, words):
    assert words == in_words(err)


def test_every_name_that_has_words_is_one_of_the_runtimes():
    assert [name for name in OF_TRANSACTIONS if not hasattr(TransactionErrorFieldless, name)] == []
    assert [name for name in OF_INSTRUCTIONS if not hasattr(InstructionErrorFieldless, name)] == []
