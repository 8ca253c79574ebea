"""Recorded bodies, when they lie beside the project."""

from pathlib import Path

import pytest

_RECORDED = Path(__file__).resolve().parents[3].parent / "shared" / "polymarket"


@pytest.fixture
def recorded() -> Path:
    """Return the folder of recorded Polymarket bodies."""
    if not _RECORDED.is_dir():
        pytest.skip("the recorded Polymarket bodies are not beside the project")
    return _RECORDED
