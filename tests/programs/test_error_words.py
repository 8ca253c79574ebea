"""programs/errors.py: transaction errors in words."""

import pytest

from programs.errors import BY_NAME, custom_code, in_words

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


def test_an_error_of_the_program_is_told_in_its_words():
    assert in_words({"InstructionError": [3, {"Custom": RESOLVED}]}).startswith("MARKET_NOT_OPEN: ")


@pytest.mark.parametrize(
    ("err", "words"),
    [
        (
            "InsufficientFundsForFee",
            "InsufficientFundsForFee: the payer cannot pay the fee: fund it",
        ),
        (
            "AccountNotFound",
            "AccountNotFound: the account that pays the fee does not exist: fund it",
        ),
        (
            "BlockhashNotFound",
            "BlockhashNotFound: its blockhash has expired, or this node does not know it yet",
        ),
        (
            {"InstructionError": [4, "ComputationalBudgetExceeded"]},
            "ComputationalBudgetExceeded: it ran out of the compute units that it asked for (instruction 4)",
        ),
        (
            {"InsufficientFundsForRent": {"account_index": 2}},
            "InsufficientFundsForRent: account 2 of the transaction would hold less than its rent",
        ),
        (
            {"DuplicateInstruction": 1},
            "DuplicateInstruction: instruction 1 repeats a compute-budget instruction",
        ),
    ],
)
def test_an_error_of_the_cluster_is_told_in_words(err, words):
    assert words == in_words(err)


@pytest.mark.parametrize(
    ("err", "words"),
    [
        ("CallChainTooDeep", "CallChainTooDeep"),
        ({"InstructionError": [3, "Immutable"]}, "Immutable (instruction 3)"),
        ({"InstructionError": "Immutable"}, "{'InstructionError': 'Immutable'}"),
        ({"DuplicateInstruction": "1"}, "{'DuplicateInstruction': '1'}"),
        (None, "None"),
    ],
)
def test_an_error_without_words_of_ours_keeps_the_nodes_own(err, words):
    assert words == in_words(err)
