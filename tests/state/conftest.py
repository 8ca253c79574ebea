import pytest

from state.in_loop import InLoopStore
from state.store import open_store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "var" / "keeper.db"


@pytest.fixture(params=["file", "in loop"])
async def store(request, path):
    """The real store and its fake, held to the same suite."""
    if request.param == "file":
        async with open_store(path) as opened:
            yield opened
    else:
        fake = InLoopStore()
        yield fake
        fake.close()
