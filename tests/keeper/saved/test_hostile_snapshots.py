"""Files that somebody made to harm a reader; `python -m bench.fuzz_snapshots` bends them for as long as it is told."""

import os
import resource
import subprocess
import sys
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.fuzz_snapshots import (
    CHANGES,
    WHOLE,
    Sound,
    fuzz,
    rehashed,
    sealed,
    sealed_body,
    write_sound,
)
from keeper.saved.accounts import Accounts, take_accounts
from keeper.saved.blocks import BLOCK_ROWS, key_fields
from keeper.saved.fields import Role
from keeper.saved.files import load, save, verified
from keeper.saved.forecasts import Part, fields_in
from programs.layout import POOL_DTYPE, AccountKind
from state.errors import StateError
from state.snapshots.columns import encode
from state.snapshots.errors import SnapshotDamaged
from state.snapshots.header import HEADER_BYTES, Header
from state.snapshots.piece import Origin, Piece
from state.snapshots.sum_tree import Top

FREE_BYTES = 64 << 20
"""What the smallest file may unpack to."""
NO_WALLETS, NO_OTHERS = Piece(section=17, rows=0, data=b""), Piece(section=18, rows=0, data=b"")
HEADER = Header(
    genesis_hash=bytes(32), program=bytes(32), slot=1, top=Top(hash=bytes(32), sums=(0, 0, 0), leaves=1), root=bytes(32),
    base_root=None, base_name="", sections=0, body_bytes=0, raw_bytes=2**63, body_hash=bytes(32),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sound")


@pytest.fixture(scope="module")
def sound(folder: Path) -> Sound:
    return write_sound(folder)


def refusal_of(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    said = set()
    for read in (load, verified):
        with pytest.raises(StateError) as refused:
            read(path)
        said.add(str(refused.value))
    assert len(said) == 1, "both say the same"
    (sentence,) = said
    assert sentence.isprintable()
    return sentence


def test_bent_files_are_one_sentence_or_rightly_believed(tmp_path: Path) -> None:
    ends = fuzz(tmp_path, seed=3, cases=250, for_s=None)
    assert len(ends) > 30, "many parts of the parser are reached"
    assert ends["believed"] < 50


@pytest.mark.parametrize("name", [WHOLE, CHANGES])
def test_a_body_cut_anywhere_is_one_sentence_though_all_hashes_fit(
    sound: Sound, folder: Path, name: str
) -> None:
    (header, _), data = sound.files[name], sound.data[name]
    for end in range(HEADER_BYTES, len(data), 47):
        refusal_of(folder / "cut", sealed_body(header, data[HEADER_BYTES:end]))


def test_any_byte_of_the_header_may_lie(sound: Sound, folder: Path) -> None:
    data = sound.data[CHANGES]
    for at in range(HEADER_BYTES - 32):
        (folder / "lie").write_bytes(
            rehashed(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        )
        with suppress(StateError):  # a slot, say, may be any number
            load(folder / "lie")


@pytest.mark.parametrize("name", [".", "..", "a\nb", "\x1b[2Jb", "a/b", "x\0y", ""])
def test_a_base_has_the_name_of_a_file(sound: Sound, folder: Path, name: str) -> None:
    header, pieces = sound.files[CHANGES]
    told = refusal_of(folder / "named", sealed(replace(header, base_name=name), pieces))
    assert "found no name of the snapshot that it is changes of" in told


def test_changes_of_themselves_have_no_beginning(sound: Sound, folder: Path) -> None:
    header, pieces = sound.files[CHANGES]
    for base_root in (header.root, header.base_root):
        mine = replace(header, base_name="self", base_root=base_root)
        with pytest.raises(SnapshotDamaged):
            load_of(folder / "self", sealed(mine, pieces))
    mine = replace(header, base_name="self", base_root=header.root)
    assert "found that it is changes of itself" in refusal_of(folder / "self", sealed(mine, pieces))
    there = replace(header, base_name="back", base_root=header.root)
    (folder / "back").write_bytes(sealed(replace(there, base_name="there"), pieces))
    assert "changes of itself" in refusal_of(folder / "there", sealed(there, pieces))


def load_of(path: Path, data: bytes) -> object:
    path.write_bytes(data)
    return load(path)


def test_what_is_no_regular_file_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for path in (folder / "pipe", folder, Path("/dev/zero")):
        with pytest.raises(StateError, match="found no regular file"):
            load(path)


def test_a_snapshot_of_no_account_is_none(folder: Path) -> None:
    assert "found no account" in refusal_of(
        folder / "none", sealed(HEADER, [NO_WALLETS, NO_OTHERS])
    )


def test_changes_that_leave_no_account_are_none(tmp_path: Path, origin: Origin) -> None:
    one = take_accounts([(bytes([7]) * 32, b"\x01")])
    save(tmp_path / "one", origin, one)
    base = load(tmp_path / "one")
    save(tmp_path / "two", origin, take_accounts([(bytes([8]) * 32, b"\x01")]), base)
    gone = Piece(section=19, rows=1, data=bytes([7]) * 32)
    kinds = (4, 5, 6, 7)
    told = [16, 35, 17, *(each + kind for kind in kinds for each in (32, 64, 96)), 67, 99]
    empty = [Piece(section=each, rows=0, data=b"") for each in told]
    empty = [replace(each, data=bytes(4)) if each.section in {16, 99} else each for each in empty]
    empty = [
        replace(each, data=bytes(4)) if each.section in {100, 101, 102, 103} else each
        for each in empty
    ]
    header = replace(load(tmp_path / "two").header, raw_bytes=2**63)
    data = sealed(header, [*empty, gone, NO_OTHERS])
    assert "found no account" in refusal_of(tmp_path / "two", data)


# What the root alone would let pass


def saved_as(path: Path, origin: Origin, accounts: Accounts) -> None:
    """Write a file whose root is right, of accounts that no writer would have put like this."""
    save(path, origin, accounts)
    for read in (load, verified):
        with pytest.raises(SnapshotDamaged) as refused:
            read(path)
        assert str(refused.value).isprintable()
    raise refused.value


def with_table(accounts: Accounts, kind: AccountKind, order: list[int]) -> Accounts:
    """Return accounts of which one kind's lie in another order."""
    table = accounts.tables[kind].taken(np.array(order))
    return Accounts(tables=accounts.tables | {kind: table}, others=accounts.others)


@pytest.mark.parametrize("kind", [AccountKind.POSITION, AccountKind.MAKER, AccountKind.CHAIN])
def test_an_account_counts_once(
    tmp_path: Path, origin: Origin, first: Accounts, kind: AccountKind
) -> None:
    order = list(range(len(first.tables[kind])))
    with pytest.raises(SnapshotDamaged, match="found an account twice"):
        saved_as(tmp_path / "x", origin, with_table(first, kind, [0, *order]))
    with pytest.raises(SnapshotDamaged, match=f"found {kind.name.lower()}s in another order"):
        saved_as(tmp_path / "x", origin, with_table(first, kind, order[::-1]))


def test_markets_are_there_once_and_in_order(
    tmp_path: Path, origin: Origin, first: Accounts
) -> None:
    order = list(range(len(first.tables[AccountKind.MARKET])))
    with pytest.raises(SnapshotDamaged, match="found a market twice"):
        saved_as(tmp_path / "x", origin, with_table(first, AccountKind.MARKET, [0, *order]))
    with pytest.raises(SnapshotDamaged, match="found markets in another order"):
        saved_as(tmp_path / "x", origin, with_table(first, AccountKind.MARKET, order[::-1]))


def test_no_debt_hides_among_accounts_in_no_table(
    tmp_path: Path, origin: Origin, first: Accounts
) -> None:
    positions = first.tables[AccountKind.POSITION]
    indebted = int(np.flatnonzero(positions.rows["debt"])[0])
    whole = positions.joined(indebted, indebted + 1)[0]
    others = sorted(
        [*first.others, (whole[:32], whole[32:])], key=lambda each: (each[1][:1], each[0])
    )
    rest = [each for each in range(len(positions)) if each != indebted]
    hidden = with_table(first, AccountKind.POSITION, rest)
    with pytest.raises(
        SnapshotDamaged, match="found one of positions among accounts that are in no"
    ):
        saved_as(tmp_path / "x", origin, replace(hidden, others=tuple(others)))
    with pytest.raises(SnapshotDamaged, match="no table in another order"):
        saved_as(tmp_path / "x", origin, replace(first, others=first.others[::-1]))


def test_an_account_counts_as_what_it_says_it_is(
    tmp_path: Path, origin: Origin, first: Accounts
) -> None:
    positions = first.tables[AccountKind.POSITION]
    rows = positions.rows.copy()
    rows["kind"][3] = AccountKind.STAKE
    tables = first.tables | {AccountKind.POSITION: replace(positions, rows=rows)}
    with pytest.raises(SnapshotDamaged, match="another kind in a block of positions"):
        saved_as(tmp_path / "x", origin, replace(first, tables=tables))


# A few kB that would like to be much


def constant(value: int) -> bytes:
    return b"\0" + value.to_bytes(8, "little")


def positions(rows: int) -> list[Piece]:
    """Return blocks of positions at addresses of their own, in a few hundred bytes each."""
    found = []
    for start in range(0, rows, BLOCK_ROWS):
        count = min(BLOCK_ROWS, rows - start)
        numbers = encode(np.arange(start, start + count).astype(np.uint64))
        said = {
            "kind": constant(AccountKind.POSITION),
            "opened_slot": constant(start),
            "position_id": numbers,
        }
        data = b"".join(said.get(each.name, constant(0)) for each in fields_in(Part.POSITION))
        data += constant(0) * len(
            key_fields(AccountKind.POSITION, Role.MARKET, Role.WALLET)
        ) + bytes(4)
        found.append(Piece(section=AccountKind.POSITION, rows=count, data=data))
    return found


def markets(count: int, pools: int) -> list[Piece]:
    """Return markets with so many pools each, and without anything in them."""
    ids = np.zeros((count, 4), "<u8")
    ids[:, 0] = np.arange(1, count + 1)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(ids.tobytes()) + packer.flush()
    said = {"pools": constant(pools), "market_id": encode(ids[:, 0])}
    names = b"".join(said.get(each.name, constant(0)) for each in fields_in(Part.MARKET_NAMES))
    names += constant(1) + b"\2" + len(packed).to_bytes(4, "little") + packed
    names += constant(0) * (len(key_fields(AccountKind.MARKET, Role.PLAIN)) - 1) + bytes(4)
    listed = (*fields_in(Part.MARKET), *fields_in(Part.POOL))
    amounts = b"".join(constant(3 if each.name == "kind" else 1) for each in listed) + bytes(4)
    return [
        Piece(section=16, rows=count, data=names),
        NO_WALLETS,
        Piece(section=3, rows=count, data=amounts),
    ]


def bomb(name: str) -> bytes:
    """Return a file of a few kB that unpacks to all that it may."""
    match name:
        case "positions":
            listed = [NO_WALLETS, *positions(FREE_BYTES // 192)]
        case _:
            listed = markets(FREE_BYTES // (288 + 255 * POOL_DTYPE.itemsize), 255)
    return sealed(HEADER, [*listed, NO_OTHERS])


@pytest.mark.parametrize("name", ["positions", "pools"])
def test_a_few_kilobytes_take_little_memory_and_time(tmp_path: Path, name: str) -> None:
    data = bomb(name)
    assert len(data) < 10_000
    (tmp_path / "bomb").write_bytes(data)
    words = [sys.executable, "-c", "from keeper.cli.main import main; main()"]
    words += ["snapshot", "verify", str(tmp_path / "bomb")]

    def with_limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))

    ended = subprocess.run(
        words, capture_output=True, text=True, preexec_fn=with_limits, check=False
    )
    assert ended.returncode == 2, ended.stderr
    assert "found accounts with root" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_file_does_not_consist_of_small_blocks(folder: Path) -> None:
    two = [replace(each, rows=1) for each in positions(1)] * 2
    assert "found a block of 1 rows" in refusal_of(folder / "x", sealed(HEADER, [NO_WALLETS, *two]))
    none = Piece(section=AccountKind.STAKE, rows=0, data=b"")
    assert "found a block of 0 rows" in refusal_of(folder / "x", sealed(HEADER, [NO_WALLETS, none]))


@pytest.mark.parametrize("section", [3, 4, 5, 6, 7, 16, 17, 18])
def test_rows_that_are_not_there_take_no_memory(sound: Sound, folder: Path, section: int) -> None:
    header, pieces = sound.files[WHOLE]
    for rows in (2**15, 2**31, 2**32 - 1):
        lying = [replace(each, rows=rows) if each.section == section else each for each in pieces]
        refusal_of(folder / "x", sealed(replace(header, raw_bytes=2**63), lying))
