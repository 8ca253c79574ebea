"""programs/record_format.py reads what numpy reads."""

import random

import numpy as np
import pytest
from solders.pubkey import Pubkey

from programs import layout
from programs.accounts import Market
from programs.layout import MARKET_DTYPE, AccountKind, market_bytes
from programs.record_format import RecordFormat

DTYPES = ("GLOBAL", "VAULT", "MARKET", "POOL", "POSITION", "MAKER", "STAKE", "EPOCH")


def by_numpy(raw):
    """A field as numpy has it, one scalar after the other."""
    if isinstance(raw, np.void):
        if raw.dtype.names:
            return int(raw["low"]) | int(raw["high"]) << 64
        return Pubkey.from_bytes(raw.tobytes())
    return tuple(raw.tolist()) if isinstance(raw, np.ndarray) else int(raw)


def readable(dtype):
    """All its fields but padding."""
    return [
        name
        for name in dtype.names
        if dtype[name].kind != "V" or dtype[name].names or dtype[name].itemsize == 32
    ]


@pytest.mark.parametrize("name", DTYPES)
def test_every_field_of_every_record_is_as_numpy_reads_it(name):
    dtype = getattr(layout, f"{name}_DTYPE")
    names, draws = readable(dtype), random.Random(name)
    for offset in (0, 5):
        data = draws.randbytes(offset + dtype.itemsize)
        row = np.frombuffer(data, dtype, count=1, offset=offset)[0]
        expected = {each: by_numpy(row[each]) for each in names}
        assert RecordFormat(dtype, names).read(data, offset) == expected
        for each in names:
            assert RecordFormat(dtype, [each]).read(data, offset) == {each: expected[each]}


def test_a_market_of_any_bytes_has_the_pools_that_numpy_finds():
    draws = random.Random(4)
    data = bytearray(draws.randbytes(market_bytes(3)))
    data[0], data[1], data[5] = AccountKind.MARKET, 1, 3
    rows = np.frombuffer(bytes(data), layout.POOL_DTYPE, count=3, offset=MARKET_DTYPE.itemsize)
    found = Market.from_bytes(bytes(data))
    for pool, row in zip(found.pools, rows, strict=True):
        for name in pool.__dataclass_fields__:
            assert getattr(pool, name) == by_numpy(row[name])
