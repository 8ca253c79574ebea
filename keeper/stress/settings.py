"""How large the world of a stress run is, and what goes wrong in it.

Core.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from programs.localnet.faults import FaultProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The world of one run."""

    load: str
    """What is offered, in a sentence with its figures."""
    markets: int
    start_e6: tuple[int, ...] = (500_000,)
    """Truth at the start, over and over."""
    wander_e6: int = 2_000
    """How far truth wanders from where the script put it."""
    tick_ms: int = 500
    slot_ms: int = 400
    liquidity_usd: int = 100_000
    """L of every pool."""
    stake_usd: int = 2_000_000
    """What the vault can lend from."""
    positions_per_side: int = 0
    """Leveraged positions of every market and side at the start, as steep as the program allows."""
    users: int = 0
    user_usd: int = 10_000
    faults: FaultProfile = field(default_factory=FaultProfile)
    """What goes wrong on the network once everything stands."""
    keeper: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Keys of keeper.toml that differ from the defaults, by section."""
