import pytest
import structlog


@pytest.fixture(autouse=True)
def _logging_of_its_own():
    """A command that a test runs in this process says where logs go; the next test must not inherit it."""
    yield
    structlog.reset_defaults()
