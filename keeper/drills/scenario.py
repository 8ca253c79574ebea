"""A drill as it is written: what the world is, what happens in it, and what the keeper is expected to do.

Core. A scenario is data and one short async function over a `Stage`. It touches neither sockets nor clocks, so that the
same scenario runs on real sockets and on the virtual clock.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from keeper.drills.expectations import Expectation
from keeper.drills.faults import Canned, Family, Road, Telling, Wire
from keeper.drills.model import PhaseName
from keeper.prices.price import PriceClass

_BRISK: Final[Mapping[str, int]] = MappingProxyType(
    {
        "rest_poll_interval_ms": 200,
        "gamma_poll_interval_ms": 400,
        "request_timeout_ms": 1_000,
        "stream_fresh_ms": 2_000,
        "ping_interval_ms": 500,
        "pong_timeout_ms": 1_500,
        "reconnect_max_ms": 500,
        "response_bytes_max": 1_000_000,
        "breaker_probe_ms": 250,
        "breaker_probe_max_ms": 2_000,
        "listing_cache_ms": 1_000,
    }
)
"""Everything a tenth as long as at the real hosts, as the slots are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The world of one drill and the keeper in it."""

    slot_ms: int = 40
    """150 slots make a price stale, 750 halted: 6 s and 30 s."""
    markets: int = 3
    active_markets: int = 0
    """Those with makers and planted positions, the first ones; 0: all."""
    start_e6: tuple[int, ...] = (500_000, 400_000, 620_000)
    """Truth at the start, over and over."""
    group_e6: tuple[int, ...] = ()
    """Truth of the outcomes of one neg-risk event at the start, one together; numbered after the other markets."""
    tick_ms: int = 100
    """How often truth and books move a little, as those of live markets do."""
    wander_e6: int = 2_000
    """How far from where the script put it; 0 for a market that stands still."""
    positions_per_side: int = 3
    """Leveraged positions of every market and side, planted before the keeper starts."""
    records_max: int = 100_000
    """Transactions that the network remembers."""
    stake_usd: int = 2_000_000
    """What the vault holds before anything is lent."""
    feed: Mapping[str, int] = field(default_factory=dict)
    """Keys of [polymarket] that differ from the brisk ones."""
    keeper: Mapping[str, Mapping[str, int | str]] = field(default_factory=dict)
    """Keys of other sections that differ from the shipped ones, by section, texts as TOML; [cluster] has its slot_ms already."""
    rpc_doors: int = 0
    """RPC endpoints of the keeper, each behind a door that can be broken; 0: one, reached plainly."""
    roads: Mapping[Family, Road] = field(default_factory=dict)
    """How the keeper reaches a family, where not plainly."""
    is_brisk: bool = True
    """False: the shipped defaults of [polymarket], for drills on the virtual clock."""

    @property
    def polymarket(self) -> dict[str, int]:
        """The intervals and limits of [polymarket] in the keeper's configuration."""
        return {**(_BRISK if self.is_brisk else {}), **self.feed}

    @property
    def slot_s(self) -> float:
        """The length of a slot in seconds."""
        return self.slot_ms / 1_000

    def slots_s(self, slots: int) -> float:
        """Return the length of so many slots in seconds."""
        return slots * self.slot_ms / 1_000


class Stage(Protocol):
    """What a scenario may do. Markets are numbered from 0; None names all of them."""

    @property
    def settings(self) -> Settings:
        """The world's."""
        ...

    def begin(self, phase: PhaseName, *faults: str) -> None:
        """Start an act, ending the one before it; `faults` say in a few words each what is broken."""
        ...

    async def hold(self, duration_s: float) -> None:
        """Let time pass."""
        ...

    async def settle(
        self,
        *,
        within_s: float,
        market: int | None = None,
        price_class: PriceClass = PriceClass.VALID,
    ) -> bool:
        """Wait until the keeper has posted the truth at this class anew and the chain has arrived there; False: too late."""
        ...

    async def wait_liquidated(self, *, market: int, at_least: int, within_s: float) -> bool:
        """Wait until so many of a market's planted positions were liquidated, in whole or in part."""
        ...

    async def wait_asked(self, family: Family, *, path: str, times: int, within_s: float) -> bool:
        """Wait until the keeper has asked a path of the family so many times more, and was answered."""
        ...

    def set_truth(self, market: int, price_e6: int | None) -> None:
        """Say what a market is worth from now on; None: nobody can know. Honest families say the same at once."""
        ...

    def tell(self, family: Family, telling: Telling, *, market: int | None = None) -> None:
        """Let a family say something else from now on; HONEST ends it."""
        ...

    def answer(self, family: Family, canned: Canned | None, *, path: str = "") -> None:
        """Let a family answer so from now on; None ends it. `path`: only requests whose path contains it."""
        ...

    def break_wire(self, family: Family, *wires: Wire, share_percent: int = 100) -> None:
        """Let bytes of a family suffer so from now on, open connections included; no wires: mend it.

        `share_percent` of the connections suffer, chosen by a hash of their number.
        """
        ...

    def push(self, text: str) -> None:
        """Send a text frame to every socket of the stream."""
        ...

    def hang_up(self) -> None:
        """Close every socket of the stream; new ones are taken."""
        ...

    def shift_venue_clock(self, offset_ms: int) -> None:
        """Set the venue's clock so far from the true one from now on: /time and the stamps of all content."""
        ...

    async def restart_keeper(self, *, down_s: float) -> None:
        """Kill the keeper with -9, leave it dead for so long, and start it anew on the same state."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One drill."""

    name: str
    """What `keeper drill run` calls it: words joined by dashes."""
    title: str
    """One sentence: what breaks."""
    play: Callable[[Stage], Awaitable[None]]
    """The script: it begins all three phases, in order."""
    expects: tuple[Expectation, ...]
    settings: Settings = field(default_factory=Settings)
    venue_lag_s: float = 0.0
    """How late the script itself makes the venue's word: added to what the judge grants a price of every age."""
    concerns: int | None = 0
    """The market whose recovery is timed; None: nothing returns to what it was."""
    alarms: frozenset[str] = frozenset()
    """Names of the monitor's rules of which people are told because of it; nothing else may wake them."""
    is_virtual: bool = False
    """Runs on the virtual clock: its hours would be too long to wait for."""
