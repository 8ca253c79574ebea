import pytest

from state.store import open_store
from tests.fakes import InLoopStore


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
