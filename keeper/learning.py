"""What is learned of compute units outlives the process: loaded at the start, saved now and then and at the end."""

from typing import Final, Protocol

import structlog
import trio

from programs.cu_model import CuModel
from state.progress import beat

SAVE_EVERY_S: Final = 60.0
log = structlog.get_logger()


class UnitsLog(Protocol):
    """Where it is kept; `state.learned.LearnedUnits` is one."""

    async def load(self) -> dict[str, list[tuple[int, int]]]:
        """Read all (bound, used) pairs by kind, oldest first."""
        ...

    async def save(self, values: dict[str, list[tuple[int, int]]], /) -> None:
        """Replace all of them."""
        ...


async def recall_units(kept: UnitsLog) -> CuModel:
    """Begin with what earlier runs learned; pairs that make no sense are left out."""
    return CuModel.of_values(await kept.load())


async def keep_units(kept: UnitsLog, model: CuModel) -> None:
    """Save what changed, until cancelled; then once more."""
    saved: dict[str, list[tuple[int, int]]] = {}
    try:
        while True:
            beat()
            await trio.sleep(SAVE_EVERY_S)
            saved = await _save(kept, model, saved)
    finally:
        with trio.move_on_after(2, shield=True):
            await _save(kept, model, saved)


async def _save(
    kept: UnitsLog, model: CuModel, saved: dict[str, list[tuple[int, int]]]
) -> dict[str, list[tuple[int, int]]]:
    values = model.as_values()
    if values != saved:
        await kept.save(values)
    return values
