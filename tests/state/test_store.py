import errno
import os
import stat
import subprocess
import sys
import threading

import pytest
import trio
import trio.testing
from sqlite_utils import Database

from state.errors import (
    LibraryTooOld,
    StateCorrupt,
    StateDiskFull,
    StateLocked,
    StateNewer,
    StateReadOnly,
    StateUnopenable,
)
from state.file_lock import from_os_error
from state.schema import check_library
from state.sqlite import sqlite3
from state.store import connect_read_only, open_store


def put(name, slot=1):
    return lambda db: db.conn.execute("INSERT INTO cursor (name, slot) VALUES (?, ?)", [name, slot])


def names(db):
    return [row[0] for row in db.conn.execute("SELECT name FROM cursor ORDER BY name")]


async def test_what_is_committed_is_read_back(store):
    await store.transaction(put("a"))
    assert await store.read(names) == ["a"]


async def test_a_transaction_that_raises_leaves_nothing(store):
    def half(db):
        put("a")(db)
        raise KeyError("midway")

    with pytest.raises(KeyError):
        await store.transaction(half)
    assert await store.read(names) == []
    await store.transaction(put("b"))
    assert await store.read(names) == ["b"]


async def test_a_cancelled_caller_still_commits_what_was_handed_over(path):
    handed_over, go_on = trio.Event(), threading.Event()

    async with open_store(path) as store:
        token = trio.lowlevel.current_trio_token()

        def slow(db):
            token.run_sync_soon(handed_over.set)
            go_on.wait(5)
            put("a")(db)

        async def commit_it():
            await store.transaction(slow)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit_it)
            await handed_over.wait()
            nursery.cancel_scope.cancel()
            go_on.set()
        assert await store.read(names) == ["a"]


async def test_a_caller_cancelled_before_handing_over_writes_nothing(path):
    async with open_store(path) as store:
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.transaction(put("a"))
        assert await store.read(names) == []


async def test_concurrent_callers_are_served_in_order(path):
    async with open_store(path) as store, trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(store.transaction, put(f"{number:02}"))
    with connect_read_only(path) as db:
        assert len(names(db)) == 50


async def test_the_file_is_private_and_so_is_a_folder_made_for_it(path):
    async with open_store(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_the_writer_uses_wal_full_sync_foreign_keys_and_recursive_triggers(path):
    def pragmas(db):
        wanted = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        return [db.conn.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted]

    async with open_store(path) as store:
        # Outside a transaction, as the pragmas would be set.
        assert await store.transaction(pragmas) == ["wal", 2, 1, 1]


async def test_a_reader_cannot_write(path):
    async with open_store(path) as store:
        with pytest.raises(StateReadOnly):
            await store.read(put("a"))


async def test_the_wal_is_folded_back_at_the_end(path):
    async with open_store(path) as store:
        await store.transaction(put("a"))
        assert path.with_name("keeper.db-wal").stat().st_size > 0
    assert not path.with_name("keeper.db-wal").exists()


async def test_a_second_keeper_is_told_who_holds_the_state(path):
    async with open_store(path):
        with pytest.raises(StateLocked, match=f"in use by process {os.getpid()}: stop that keeper"):
            async with open_store(path):
                pass  # pragma: no cover - refused above


async def test_the_lock_dies_with_its_process(path):
    program = (
        "import os, sys, trio, pathlib\n"
        "from state.store import open_store\n"
        "async def main():\n"
        "    async with open_store(pathlib.Path(sys.argv[1])) as store:\n"
        "        await store.transaction(lambda db: db.conn.execute(\n"
        "            \"INSERT INTO cursor (name, slot) VALUES ('a', 1)\"))\n"
        "        os.kill(os.getpid(), 9)\n"
        "trio.run(main)\n"
    )
    done = await trio.to_thread.run_sync(
        lambda: subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    )
    assert done.returncode == -9
    async with open_store(path) as store:
        assert await store.read(names) == ["a"]


async def test_a_database_of_a_newer_schema_is_refused_untouched(path):
    async with open_store(path):
        pass
    with Database(path) as db:
        db["_sqlite_migrations"].insert(
            {"migration_set": "state", "name": "m999_future", "applied_at": "later"}
        )
    before = path.read_bytes()
    with pytest.raises(StateNewer, match=r"schema version \d+, this release knows \d+") as refusal:
        async with open_store(path):
            pass  # pragma: no cover - refused above
    assert refusal.value.found == refusal.value.expected + 1
    assert path.read_bytes() == before


async def test_a_database_that_lost_a_trigger_is_refused(path):
    async with open_store(path):
        pass
    with Database(path) as db:
        db.conn.execute("DROP TRIGGER attempt_keeps_history")
    with pytest.raises(Exception, match="attempt_keeps_history"):
        async with open_store(path):
            pass  # pragma: no cover - refused above


async def test_a_full_disk_is_one_sentence_and_nothing_is_half_written(path):
    async with open_store(path) as store:
        await store.transaction(put("a"))

        def fill(db):
            pages = db.conn.execute("PRAGMA page_count").fetchone()[0]
            db.conn.execute(f"PRAGMA max_page_count = {pages}")
            db.conn.executemany(
                "INSERT INTO cursor (name, slot) VALUES (?, 1)", [[f"{n:0500}"] for n in range(99)]
            )

        with pytest.raises(StateDiskFull, match="no space left"):
            await store.transaction(fill)
        assert await store.read(names) == ["a"]


async def test_a_file_that_is_no_database_is_refused(path):
    path.parent.mkdir()
    path.write_bytes(b"certainly not SQLite" * 100)
    with pytest.raises(StateCorrupt, match="restore a backup"):
        async with open_store(path):
            pass  # pragma: no cover - refused above


async def test_a_path_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / "keeper.db").mkdir()
    with pytest.raises(StateUnopenable, match="Is a directory"):
        async with open_store(tmp_path / "keeper.db"):
            pass  # pragma: no cover - refused above


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, StateDiskFull),
        (errno.EDQUOT, StateDiskFull),
        (errno.EROFS, StateReadOnly),
        (errno.ENAMETOOLONG, StateUnopenable),
    ],
)
def test_what_the_system_refuses_becomes_a_sentence(number, error):
    found = from_os_error("keeper.db", OSError(number, os.strerror(number)))
    assert isinstance(found, error)
    assert "keeper.db" in str(found)


async def test_an_idle_writer_folds_the_wal_back(path):
    async with open_store(path) as store:
        await store.transaction(put("a"))
        wal = path.with_name("keeper.db-wal")
        with trio.fail_after(5):
            while wal.stat().st_size:  # noqa: ASYNC110 - a file tells nobody
                await trio.sleep(0.02)
        assert await store.read(names) == ["a"]


async def test_a_wal_that_a_reader_holds_is_folded_back_later(path):
    async with open_store(path) as store:
        await store.transaction(put("a"))
        with connect_read_only(path) as reader:
            reader.conn.execute("BEGIN")
            assert names(reader) == ["a"]
            await store.transaction(put("b"))
    assert not path.with_name("keeper.db-wal").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StateReadOnly, match="write access"):
        async with open_store(tmp_path / "keeper.db"):
            pass  # pragma: no cover - refused above


def test_the_installed_sqlite_has_no_wal_reset_bug():
    check_library()
    assert sqlite3.sqlite_version >= "3.51.3"


def test_an_old_sqlite_is_refused():
    with pytest.raises(LibraryTooOld, match=r"3\.51\.2.*3\.51\.3 or newer"):
        check_library((3, 51, 2))
    check_library((3, 51, 3))


async def test_what_waits_shares_one_commit_and_who_fails_takes_nothing_from_the_others(path):
    go_on, results = threading.Event(), {}

    def fail(db):
        put("never")(db)
        raise KeyError("mine alone")

    async with open_store(path) as store:

        async def one(name, work):
            try:
                results[name] = await store.transaction(work)
            except KeyError as error:
                results[name] = error

        async with trio.open_nursery() as nursery:
            # The first holds the writer until all the others wait.
            nursery.start_soon(one, "first", lambda _: go_on.wait(5))
            await trio.testing.wait_all_tasks_blocked()
            for name in "abc":
                nursery.start_soon(one, name, put(name))
            nursery.start_soon(one, "x", fail)
            await trio.testing.wait_all_tasks_blocked()
            go_on.set()
        assert await store.read(names) == ["a", "b", "c"]
        assert isinstance(results["x"], KeyError)


async def test_a_group_that_cannot_be_committed_whole_is_committed_one_by_one(path):
    go_on, results = threading.Event(), {}

    def lose_the_transaction(db):
        db.conn.execute("ROLLBACK")
        raise KeyError("gone")

    async with open_store(path) as store:

        async def one(name, work):
            try:
                await store.transaction(work)
            except KeyError as error:
                results[name] = error

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "first", lambda _: go_on.wait(5))
            await trio.testing.wait_all_tasks_blocked()
            for name, work in (("a", put("a")), ("x", lose_the_transaction), ("b", put("b"))):
                nursery.start_soon(one, name, work)
            await trio.testing.wait_all_tasks_blocked()
            go_on.set()
        assert await store.read(names) == ["a", "b"]
        assert list(results) == ["x"]
