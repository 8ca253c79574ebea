"""The worlds that causes are played in.

Core.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from keeper.drills.scenario import Settings

SLOW: Final = Settings(
    slot_ms=400,
    tick_ms=5_000,
    wander_e6=1_000,
    is_brisk=False,
    keeper=MappingProxyType(
        {
            "cluster": MappingProxyType({"scan_interval_slots": 10}),
            "posting": MappingProxyType({"heartbeat_slots": 75}),
        }
    ),
)
"""Slots and intervals as on a real cluster; the chain is looked at every four seconds, as nothing is subscribed to."""
TWO_ENDPOINTS: Final = replace(SLOW, rpc_doors=2)
"""Each behind a door."""


BUSY: Final = replace(SLOW, tick_ms=2_000, wander_e6=8_000)
"""Prices move all the time: there is something to post every other second."""


def with_keys(settings: Settings, section: str, **keys: int | str) -> Settings:
    """Return settings with more keys in a section of keeper.toml; texts as TOML."""
    mine = {**settings.keeper.get(section, {}), **keys}
    return replace(settings, keeper=MappingProxyType({**settings.keeper, section: mine}))
