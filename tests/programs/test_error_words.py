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


def test_an_error_is_told_in_the_programs_words_or_the_nodes_own():
    assert in_words({"InstructionError": [3, {"Custom": RESOLVED}]}).startswith("MARKET_NOT_OPEN: ")
    assert "AccountInUse" == in_words("AccountInUse")
