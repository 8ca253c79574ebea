import pytest

from state.cursors import Cursor, Cursors
from state.errors import HistoryConflict


async def test_a_cursor_is_found_where_it_was_moved(store):
    cursors = Cursors(store)
    assert await cursors.find_cursor("events") is None
    for slot in (5, 9, 9):
        here = Cursor(name="events", slot=slot, signature="s" * 88)
        await cursors.move(here)
        assert await cursors.find_cursor("events") == here


async def test_a_cursor_never_moves_backwards(store):
    cursors = Cursors(store)
    await cursors.move(Cursor(name="events", slot=9, signature=None))
    with pytest.raises(HistoryConflict, match="only moves forward"):
        await cursors.move(Cursor(name="events", slot=8, signature=None))
