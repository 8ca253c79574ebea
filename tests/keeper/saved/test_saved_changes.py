from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench._snapshot_world import States
from keeper.saved.accounts import Accounts, take_accounts
from keeper.saved.change_content import changed_raw_bytes, read_changes, write_changes
from keeper.saved.changes import find_changes
from keeper.saved.content import NO_KEYS, dictionary_of
from keeper.saved.files import load, save
from programs.layout import AccountKind
from state.snapshots.errors import SnapshotDamaged, SnapshotForeign
from state.snapshots.piece import Origin, Piece

PROGRAM = bytes(range(32))
Pairs = list[tuple[bytes, bytes]]


def later(origin: Origin, slots: int = 150) -> Origin:
    return Origin(
        genesis_hash=origin.genesis_hash, program=origin.program, slot=origin.slot + slots
    )


def after(base: Accounts, following: Accounts, program: bytes = PROGRAM) -> Accounts:
    wallets = dictionary_of(base).wallets
    changes = find_changes(base, following)
    pieces = write_changes(base, wallets, changes, following, program)
    raw_bytes = changed_raw_bytes(base, changes, following)
    return read_changes(base, wallets, pieces, program, raw_bytes)[0]


def moved(pairs: Pairs, seed: int) -> Pairs:
    """Some accounts gone, some new, some with other bytes anywhere: keys, pool counts and lengths too."""
    draws = Random(seed)
    found = []
    for address, data in pairs:
        match draws.randrange(6):
            case 0:
                continue
            case 1 | 2:
                spoiled = bytearray(data)
                for _ in range(draws.randrange(1, 4)):
                    spoiled[draws.randrange(len(data))] = draws.randrange(256)
                found.append((address, bytes(spoiled)))
            case 3:
                found += [(address, data), (draws.randbytes(32), data)]
            case _:
                found.append((address, data))
    return found


def test_a_minute_of_the_platform_is_told_by_its_changes(
    states: States, first: Accounts, following: Accounts
) -> None:
    assert list(after(first, following, states.program).pairs()) == list(following.pairs())
    assert list(after(following, first, states.program).pairs()) == list(first.pairs())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_any_changes_at_all_lead_to_the_next_state(states: States, seed: int) -> None:
    draws = Random(seed)
    some = draws.sample(states.first, 25)
    base, following = take_accounts(some), take_accounts(moved(some, seed))
    assert list(after(base, following).pairs()) == list(following.pairs())


def test_from_nothing_to_everything_and_back(first: Accounts) -> None:
    nothing = take_accounts([])
    assert list(after(nothing, first).pairs()) == list(first.pairs())
    assert len(after(first, nothing)) == 0


def test_the_same_again_is_no_change(first: Accounts) -> None:
    assert find_changes(first, first).count == 0


def test_snapshots_of_changes_stand_on_each_other(
    tmp_path: Path, origin: Origin, first: Accounts, following: Accounts, states: States
) -> None:
    save(tmp_path / "a", origin, first)
    whole = load(tmp_path / "a")
    save(tmp_path / "b", later(origin), following, whole)
    third = take_accounts(moved(states.following, 5))
    save(tmp_path / "c", later(origin, 300), third, load(tmp_path / "b"))
    saved = load(tmp_path / "c")
    assert list(saved.accounts.pairs()) == list(third.pairs())
    assert saved.header.base_name == "b"
    assert (tmp_path / "b").stat().st_size < (tmp_path / "a").stat().st_size


def test_changes_without_their_base_or_of_another_one_are_refused(
    tmp_path: Path, origin: Origin, first: Accounts, following: Accounts, states: States
) -> None:
    save(tmp_path / "a", origin, first)
    save(tmp_path / "b", later(origin), following, load(tmp_path / "a"))
    save(tmp_path / "a", origin, take_accounts(states.first[1:]))
    with pytest.raises(SnapshotDamaged, match="expected its base"):
        load(tmp_path / "b")
    (tmp_path / "a").unlink()
    with pytest.raises(Exception, match="does not exist"):
        load(tmp_path / "b")


def test_a_base_of_another_platform_or_of_later_is_refused(
    tmp_path: Path, origin: Origin, first: Accounts
) -> None:
    save(tmp_path / "a", origin, first)
    base = load(tmp_path / "a")
    other = Origin(genesis_hash=bytes(32), program=origin.program, slot=origin.slot)
    with pytest.raises(SnapshotForeign, match="another cluster"):
        save(tmp_path / "b", other, first, base)
    other = Origin(genesis_hash=origin.genesis_hash, program=bytes(32), slot=origin.slot)
    with pytest.raises(SnapshotForeign, match="expected 1111"):
        save(tmp_path / "b", other, first, base)
    with pytest.raises(SnapshotForeign, match="is after slot"):
        save(tmp_path / "b", later(origin, -1), first, base)
    with pytest.raises(SnapshotForeign, match="under another name"):
        save(tmp_path / "a", later(origin), first, base)


def test_spoiled_changes_are_refused_or_other_changes_and_never_a_traceback(
    states: States, first: Accounts, following: Accounts
) -> None:
    wallets = dictionary_of(first).wallets
    changes = find_changes(first, following)
    raw_bytes = changed_raw_bytes(first, changes, following)
    pieces = list(write_changes(first, wallets, changes, following, states.program))
    draws = Random(4)
    refused = 0
    for _ in range(150):
        at = draws.randrange(len(pieces))
        data = bytearray(pieces[at].data)
        if data and draws.randrange(4):
            data[draws.randrange(len(data))] ^= 1 << draws.randrange(8)
        elif data:
            del data[draws.randrange(len(data)) :]
        rows = max(0, pieces[at].rows + draws.choice((0, 0, 0, 1, -1, 2**31)))
        spoiled = [*pieces]
        spoiled[at] = Piece(section=pieces[at].section, rows=rows, data=bytes(data))
        try:
            read_changes(first, wallets, iter(spoiled), states.program, raw_bytes)
        except SnapshotDamaged:
            refused += 1
    assert refused > 50


def test_wallets_of_changes_follow_those_of_the_base(first: Accounts, following: Accounts) -> None:
    base = dictionary_of(first)
    grown = dictionary_of(following, base.wallets)
    assert (grown.wallets[: len(base.wallets)] == base.wallets).all()
    assert len(dictionary_of(first, NO_KEYS).wallets) == len(base.wallets)
    assert len(first.tables[AccountKind.MARKET])
