import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state.snapshots.columns import (
    Choice,
    Coding,
    decode,
    encode,
    fold_signs,
    unfold_signs,
)
from state.snapshots.cursor import Cursor
from state.snapshots.errors import SnapshotDamaged

CALMLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SHAPES = ("any", "small", "wide", "runs", "rare", "words", "rising")
ROWS = 4_000


def drawn(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def column(seed: int, shape: str, rows: int) -> np.ndarray:
    """Some column of a kind."""
    draws = drawn(seed)
    noise = draws.integers(0, 2**64, rows, np.uint64)
    match shape:
        case "small":
            return noise >> np.uint64(draws.integers(40, 64))
        case "wide":
            return np.where(draws.random(rows) < 0.5, noise, np.uint64(2**64 - 1))
        case "runs":
            return np.repeat(noise, draws.integers(1, 40, rows))[:rows]
        case "rare":
            return np.where(draws.random(rows) < 0.1, noise, np.uint64(7))
        case "words":
            return noise[draws.integers(0, max(1, min(rows, 9)), rows)] if rows else noise
        case "rising":
            return np.cumsum(noise >> np.uint64(56), dtype=np.uint64)
        case _:
            return noise


COLUMNS = st.builds(
    column,
    st.integers(0, 10**6),
    st.sampled_from(SHAPES),
    st.sampled_from([0, 1, 2, 9, 80, 700, 5_000]),
)


def read(data: bytes, rows: int) -> np.ndarray:
    cursor = Cursor(data)
    values = decode(cursor, rows)
    cursor.finish()
    return values


CHOICES = st.builds(
    Choice, codings=st.frozensets(st.sampled_from(Coding)), is_compressed=st.booleans()
)


@CALMLY
@given(COLUMNS, CHOICES)
def test_every_column_comes_back_as_it_was(values: np.ndarray, choice: Choice) -> None:
    assert (read(encode(values, choice), len(values)) == values).all()


@pytest.mark.parametrize(
    ("coding", "values", "bytes_max"),
    [
        (Coding.CONSTANT, np.full(ROWS, 7), 9),
        (Coding.PLAIN, drawn().integers(0, 2**60, ROWS), 8 * ROWS + 40),
        (Coding.DIFFERENCES, np.cumsum(drawn().integers(0, 200, ROWS)) + 10**12, 1.2 * ROWS),
        (Coding.RUNS, np.repeat(drawn().integers(0, 2**60, 40), ROWS // 40), 500),
        (
            Coding.RARE,
            np.where(drawn().random(ROWS) < 0.02, drawn().integers(0, 2**40, ROWS), 5),
            1_000,
        ),
        (Coding.DICTIONARY, drawn().choice(drawn().integers(0, 2**60, 30), ROWS), 0.8 * ROWS),
    ],
)
def test_a_column_is_written_in_the_coding_that_suits_it(
    coding: Coding, values: np.ndarray, bytes_max: float
) -> None:
    written = encode(values.astype(np.uint64))
    assert written[0] == coding
    assert len(written) <= bytes_max


def test_a_small_negative_difference_stays_small() -> None:
    values = np.array([0, 1, 2**64 - 1, 2**64 - 2, 2**63], np.uint64)
    assert fold_signs(values).tolist() == [0, 2, 1, 3, 2**64 - 1]
    assert (unfold_signs(fold_signs(values)) == values).all()


@CALMLY
@given(st.binary(max_size=60), st.integers(0, 200))
def test_any_other_bytes_are_a_column_or_refused_in_one_sentence(data: bytes, rows: int) -> None:
    said = ""
    try:
        assert len(read(data, rows)) == rows
    except SnapshotDamaged as damaged:
        said = str(damaged)
    assert "\n" not in said


@CALMLY
@given(st.data())
def test_a_column_with_a_byte_changed_is_a_column_or_refused(data: st.DataObject) -> None:
    listed = data.draw(COLUMNS.filter(lambda values: 0 < len(values) < 100))
    written = bytearray(encode(listed))
    written[data.draw(st.integers(0, len(written) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(SnapshotDamaged):
        assert len(read(bytes(written), len(listed))) == len(listed)


def test_a_plane_that_unpacks_to_gigabytes_is_refused_before_it_does() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(50_000_000)) + packer.flush()
    written = bytes([Coding.PLAIN, 1, 2]) + len(bomb).to_bytes(4, "little") + bomb
    with pytest.raises(SnapshotDamaged, match="expected 10"):
        read(written, 10)
