from pathlib import Path
from random import Random

import pytest

from keeper.saved.accounts import Accounts
from keeper.saved.files import load, save
from state.errors import StateError
from state.snapshots.header import HEADER_BYTES
from state.snapshots.piece import Origin


def test_a_snapshot_is_loaded_as_it_was_saved(
    tmp_path: Path, origin: Origin, first: Accounts
) -> None:
    header = save(tmp_path / "one", origin, first)
    saved = load(tmp_path / "one")
    assert list(saved.accounts.pairs()) == list(first.pairs())
    assert saved.header == header
    assert saved.origin == origin
    assert header.top.leaves == len(first)


def test_any_bit_turned_over_is_one_sentence(
    tmp_path: Path, origin: Origin, first: Accounts
) -> None:
    path = tmp_path / "one"
    save(path, origin, first)
    data = path.read_bytes()
    draws = Random(3)
    places = [*range(0, HEADER_BYTES, 7), *(draws.randrange(len(data)) for _ in range(60))]
    for at in places:
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << draws.randrange(8)]) + data[at + 1 :])
        with pytest.raises(StateError) as refused:
            load(path)
        assert "\n" not in str(refused.value)


def test_any_piece_cut_off_is_one_sentence(tmp_path: Path, origin: Origin, first: Accounts) -> None:
    path = tmp_path / "one"
    save(path, origin, first)
    data = path.read_bytes()
    for length in (0, 1, 8, 383, 384, 500, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(StateError, match="cannot be used"):
            load(path)
