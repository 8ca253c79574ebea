"""state/in_loop.py: what the other tests do not ask of it; the store itself is held to the shared suite."""

from pathlib import Path

import pytest

from state.in_loop import InLoopStores


async def test_who_opens_a_path_again_finds_what_was_left_there():
    stores = InLoopStores()
    async with stores.open_store(Path("one")) as store:
        await store.transaction(lambda db: db["note"].insert({"text": "left"}))
    async with stores.open_store(Path("one")) as store:
        assert [{"text": "left"}] == await store.read(lambda db: list(db["note"].rows))
    async with stores.open_store(Path("other")) as store:
        assert not await store.read(lambda db: db["note"].exists())
    assert 2 == len(stores.databases)
    stores.close()
    assert () == stores.databases


async def test_what_fails_half_way_is_undone():
    stores = InLoopStores()

    def fail(db):
        db["note"].insert({"text": "half"})
        raise LookupError

    async with stores.open_store(Path("one")) as store:
        await store.transaction(lambda db: db["note"].insert({"text": "whole"}))
        with pytest.raises(LookupError):
            await store.transaction(fail)
        assert [{"text": "whole"}] == await store.read(lambda db: list(db["note"].rows))
    stores.close()
