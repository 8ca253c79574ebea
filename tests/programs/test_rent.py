import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.litesvm import LiteSVM
from solders.sysvar import RENT

from programs.rent import MalformedRentError, decode_rent


@pytest.fixture(scope="module")
def svm():
    return LiteSVM()


@given(size=st.integers(0, 10 << 20))
def test_it_asks_for_what_the_runtime_asks_for(svm, size):
    rate = decode_rent(svm.get_account(RENT).data)
    assert rate.exempt_lamports(size) == svm.minimum_balance_for_rent_exemption(size)


def test_the_sysvar_of_mainnet_is_two_years_of_3480():
    rate = decode_rent(struct.pack("<QdB", 3_480, 2.0, 50))
    assert rate.lamports_per_byte == Fraction(6_960)
    assert rate.exempt_lamports(0) == 890_880


@pytest.mark.parametrize("years", [0.0, -1.0, float("nan"), float("inf")])
def test_numbers_that_make_no_rate_are_refused(years):
    with pytest.raises(MalformedRentError, match="exempts after"):
        decode_rent(struct.pack("<QdB", 3_480, years, 50))


def test_bytes_that_are_too_short_are_refused():
    with pytest.raises(MalformedRentError, match="has 16 bytes, expected 17"):
        decode_rent(bytes(16))
