import pytest

from tests.programs.native import load_arithmetic


@pytest.fixture(scope="session")
def native(tmp_path_factory):
    """The C arithmetic, compiled once per worker with undefined behaviour trapping."""
    return load_arithmetic(tmp_path_factory.mktemp("native"))
