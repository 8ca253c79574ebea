import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state.errors import StateDiskFull, StateError
from state.snapshots.errors import SnapshotDamaged
from state.snapshots.file import load_header, read_pieces, write_snapshot
from state.snapshots.header import HEADER_BYTES, Header, read_header
from state.snapshots.piece import Origin, Piece
from state.snapshots.sum_tree import Top

ORIGIN = Origin(genesis_hash=b"g" * 32, program=b"p" * 32, slot=77)
TOP = Top(hash=b"h" * 32, sums=(1, 2, 3), leaves=4)
PIECES = [Piece(section=4, rows=2, data=b"ab"), Piece(section=5, rows=0, data=b"")]


def write(path: Path, raw_bytes: int = 100, base: tuple[bytes, str] | None = None) -> Header:
    return write_snapshot(path, ORIGIN, TOP, raw_bytes, PIECES, base)


def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "one"
    written = write(path, base=(b"r" * 32, "none"))
    header = load_header(path)
    assert header == written
    assert (header.slot, header.top, header.base_root, header.base_name) == (
        77,
        TOP,
        b"r" * 32,
        "none",
    )
    assert list(read_pieces(path, header)) == PIECES


def test_it_is_its_owners_alone_and_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "one"
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["one"]


def test_a_link_under_the_name_of_its_draft_is_not_followed(tmp_path: Path) -> None:
    """Whoever may write into the folder could have had the keeper overwrite any file of its owner."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f".one.{os.getpid()}.half").symlink_to(victim)
    write(tmp_path / "one")
    assert victim.read_text() == "precious"
    assert load_header(tmp_path / "one").slot
    assert not (tmp_path / "one").is_symlink()
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    (tmp_path / "two").symlink_to(victim)
    write(tmp_path / "two")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "two").is_symlink()


def test_a_write_that_fails_leaves_the_old_one_and_no_half(tmp_path: Path) -> None:
    path = tmp_path / "one"
    write(path)
    before = path.read_bytes()

    def pieces() -> Iterator[Piece]:
        yield PIECES[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(StateDiskFull):
        write_snapshot(path, ORIGIN, TOP, 0, pieces())
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["one"]


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    dead, alive = tmp_path / f".one.{2**22 + 1}.half", tmp_path / ".one.1.half"
    for half in (dead, alive):
        half.write_bytes(b"half")
    write(tmp_path / "one")
    assert (dead.exists(), alive.exists()) == (False, True)


def test_what_packs_too_well_is_filled_up_rather_than_refused_later(tmp_path: Path) -> None:
    path = tmp_path / "one"
    header = write(path, raw_bytes=80 << 20)
    assert path.stat().st_size > (16 << 20) // 64
    assert list(read_pieces(path, load_header(path))) == PIECES
    assert header.sections == 3


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="does not exist"):
        load_header(tmp_path / "none")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: b"SQLite format 3\0" + data, "other first bytes"),
        (lambda data: data[:100], "expected 384"),
        (lambda data: data[:-1], "it is cut"),
        (lambda data: data + b"\0", "something was added"),
        (lambda data: data[:8] + b"\7\0" + data[10:], "found version 7"),
        (lambda data: data[:20] + b"\1" + data[21:], "not the one of its hash"),
        (lambda data: data[:-1] + b"\1", "other contents than were written"),
        (lambda data: data[:0], "found other first bytes"),
    ],
)
def test_every_damage_has_its_sentence_and_names_the_file(
    tmp_path: Path, damage: Callable[[bytes], bytes], said: str
) -> None:
    path = tmp_path / "one"
    write(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SnapshotDamaged, match=said) as refused:
        list(read_pieces(path, load_header(path)))
    assert str(path) in str(refused.value)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=500))
def test_no_bytes_are_taken_for_a_header_that_are_none(data: bytes) -> None:
    with pytest.raises(SnapshotDamaged):
        read_header(data, len(data))


def test_a_root_that_is_not_the_trees_is_refused() -> None:
    packed = Header(
        genesis_hash=b"g" * 32,
        program=b"p" * 32,
        slot=1,
        top=TOP,
        root=b"x" * 32,
        base_root=None,
        base_name="",
        sections=0,
        body_bytes=0,
        raw_bytes=0,
        body_hash=bytes(32),
    ).packed()
    with pytest.raises(SnapshotDamaged, match="does not follow"):
        read_header(packed, HEADER_BYTES)


def test_a_file_that_would_fill_the_memory_is_refused_by_its_header() -> None:
    packed = Header(
        genesis_hash=b"g" * 32,
        program=b"p" * 32,
        slot=1,
        top=TOP,
        root=TOP.root(ORIGIN.context),
        base_root=None,
        base_name="",
        sections=0,
        body_bytes=0,
        raw_bytes=10**12,
        body_hash=bytes(32),
    ).packed()
    with pytest.raises(SnapshotDamaged, match="would unpack to 1000000000000"):
        read_header(packed, HEADER_BYTES)
