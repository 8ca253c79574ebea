"""Settings of the sandbox: a network, a venue and actors, all on loopback.

Core.
"""

from dataclasses import dataclass
from pathlib import Path

from keeper.sandbox.venue.venue import VenueConfig

_PORT_MAX = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """What the sandbox runs, and how restless it is."""

    enabled: bool = False
    """Whether `keeper run` starts the sandbox; false keeps the cluster and venue of the file."""
    host: str = "127.0.0.1"
    rpc_port: int = 8_899
    """The network's; its websocket is at the port after it. 0 takes free ports."""
    venue_port: int = 8_990
    """0 takes a free port."""
    slot_ms: int = 100
    finality_slots: int = 8
    """After how many slots one is finalized; 32 on a real cluster."""
    seed: int = 1
    """What venue and actors try is decided by it; only the genesis hash is new at every start."""
    markets: int = 8
    """With two outcomes."""
    groups: int = 0
    """With several: neg-risk events of the venue, each one market on chain. They are listed and priced only."""
    group_outcomes: int = 4
    active_markets_max: int = 16
    """Actors trade in the first so many with two outcomes; the others are listed and priced only."""
    tick_ms: int = 250
    """How often the venue's prices move."""
    volatility_e6: int = 1_500
    """Standard deviation of one tick at even odds, absolute."""
    jump_every_ticks: int = 40
    """Every market jumps once in so many ticks, each at its own; 0 for no jumps."""
    jump_points_e6: int = 150_000
    liquidity_usd: int = 100_000
    """L of every active pool; its makers pay about four tenths of it."""
    stake_usd: int = 2_000_000
    """What the vault can lend from."""
    positions_per_side: int = 12
    """Leveraged positions that traders keep open on each side of an active market."""
    rpc_endpoints: int = 1
    """Addresses of the network; each further one takes the two ports after the last."""
    faults: str | None = None
    """What may go wrong on the network once the platform is founded: light, heavy, or a file; None is nothing."""
    replay: Path | None = None
    """Let the venue serve the recorded bodies of this folder; the markets are those found in them."""

    def __post_init__(self) -> None:
        """Refuse settings that the program or the network would refuse."""
        for name, least, most in (
            ("rpc_port", 0, _PORT_MAX - 1),
            ("rpc_endpoints", 1, 16),
            ("venue_port", 0, _PORT_MAX),
            ("slot_ms", 10, 10_000),
            ("finality_slots", 0, 1_000),
            ("seed", 0, 2**63 - 1),
            ("active_markets_max", 0, 1_000),
            ("liquidity_usd", 1_000, 10_000_000),
            ("stake_usd", 0, 1_000_000_000),
            ("positions_per_side", 0, 16),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name} is {value}, expected {least} to {most}")
        self.venue()

    def venue(self) -> VenueConfig:
        """Return the venue's share of the settings."""
        return VenueConfig(
            seed=self.seed,
            markets=self.markets,
            groups=self.groups,
            group_outcomes=self.group_outcomes,
            tick_ms=self.tick_ms,
            volatility_e6=self.volatility_e6,
            jump_every_ticks=self.jump_every_ticks,
            jump_points_e6=self.jump_points_e6,
            host=self.host,
            port=self.venue_port,
            replay=self.replay,
        )
