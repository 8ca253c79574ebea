"""What may go wrong on the network, and how often. Zero is never, and every default is zero.

Chances are in bps of the occasions: of transactions sent, of slots, of HTTP requests, of notifications.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from programs.localnet.dice import ALWAYS_BPS
from programs.units import BLOCKHASH_AGE_MAX_BLOCKS

LAG_BLOCKS_MAX: Final = 512
"""A node further behind would be asked for blocks that nobody remembers."""


class _Checked:
    """Refuses negative settings and chances above certainty; values are checked once, where they are written."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, each.name)
            if not isinstance(value, int) or isinstance(value, bool):
                continue
            most = ALWAYS_BPS if each.name.endswith("_bps") else None
            if value < 0 or (most is not None and value > most):
                expected = f"0 to {most}" if most is not None else "0 or more"
                raise ValueError(f"{each.name} is {value}, expected {expected}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingFaults(_Checked):
    """What happens to a transaction between the node that accepted it and the chain."""

    lost_bps: int = 0
    """It vanishes; the sender gets its signature all the same."""
    late_bps: int = 0
    """It arrives 1 to `late_slots_max` slots later."""
    late_slots_max: int = 4
    repeated_bps: int = 0
    """The same bytes arrive again, 1 to `repeats_max` times within `repeat_slots_max` slots."""
    repeats_max: int = 3
    repeat_slots_max: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkFaults(_Checked):
    """How often the cluster leaves its newest blocks behind; never a finalized one."""

    fork_bps: int = 0
    """Of slots."""
    blocks_max: int = 1
    """It takes 1 to so many blocks back."""
    return_bps: int = 5_000
    """Of transactions taken back: another validator includes it again, 0 to `return_slots_max` slots later."""
    return_slots_max: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFaults(_Checked):
    """What happens to the answer of an HTTP request; at most one of these, and `late` besides."""

    late_bps: int = 0
    """It comes 1 to `late_ms_max` later."""
    late_ms_max: int = 2_000
    error_bps: int = 0
    """A JSON-RPC error without data."""
    error_data_bps: int = 0
    """A JSON-RPC error with data: the node says how many slots it is behind."""
    unknown_code_bps: int = 0
    """Status 200 and a JSON-RPC error of code 429, as providers limit single methods."""
    error_text_bps: int = 0
    """Status 200 and an error member that is a text."""
    html_bps: int = 0
    """Status 200 and a web page."""
    limited_bps: int = 0
    """Status 429 with Retry-After."""
    unavailable_bps: int = 0
    """Status 500, 502, 503 or 504, from a proxy."""
    truncated_bps: int = 0
    """The answer ends in the middle, its length said accordingly."""
    cut_bps: int = 0
    """The connection ends in the middle of the answer."""
    wrong_id_bps: int = 0
    """The answer to another request."""
    nonsense_bps: int = 0
    """A JSON array of things nobody asked for."""
    dripping_bps: int = 0
    """One byte every 100 ms."""
    hanging_bps: int = 0
    """No answer at all, for as long as the client waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFaults(_Checked):
    """What happens to websocket notifications."""

    lost_bps: int = 0
    """Of notifications: it is left out."""
    cut_bps: int = 0
    """Of connections, in every slot: it is closed."""
    silent_bps: int = 0
    """Of connections: it says nothing after a subscription was accepted, and stays open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFaults(_Checked):
    """How far the cluster's time strays from its slots."""

    jump_bps: int = 0
    """Of slots: from there on time is off by another 1 to `jump_s_max`, earlier or later."""
    jump_s_max: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Congestion(_Checked):
    """Blocks with limits, filled by fee, and strangers who want to be in them."""

    block_cu: int = 100_000_000
    """Cost units of one block of 400 ms; shorter slots have less. Source: SIMD-0286."""
    account_cu: int = 12_000_000
    """Cost units of one block on one writable account. Source: agave MAX_WRITABLE_ACCOUNT_UNITS."""
    waiting_max: int = 100_000
    """Transactions waiting; the worst paying one beyond is dropped. Source: agave TOTAL_BUFFERED_PACKETS."""
    spam_per_slot: int = 0
    """Strangers' transactions that arrive in every slot."""
    spam_price_max: int = 50_000
    """What strangers bid at most, micro-lamports per compute unit."""
    spam_cu: int = 200_000
    """What each of them asks for."""
    spam_hot_bps: int = 0
    """Of them: it also wants to write what the last transaction of anyone else wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFaults(_Checked):
    """What one endpoint does otherwise than the rest."""

    lag_blocks: int = 0
    """It answers as if it were so many blocks ago."""
    sending: SendingFaults | None = None
    """None: as the profile says for all."""
    replies: ReplyFaults | None = None
    streams: StreamFaults | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultProfile(_Checked):
    """Everything that may go wrong on one network."""

    blockhash_blocks: int = BLOCKHASH_AGE_MAX_BLOCKS
    """How long a blockhash is good for."""
    sending: SendingFaults = field(default_factory=SendingFaults)
    forks: ForkFaults = field(default_factory=ForkFaults)
    replies: ReplyFaults = field(default_factory=ReplyFaults)
    streams: StreamFaults = field(default_factory=StreamFaults)
    clock: ClockFaults = field(default_factory=ClockFaults)
    congestion: Congestion | None = None
    """None: whatever arrives is executed at once."""
    endpoints: tuple[EndpointFaults, ...] = ()
    """By position; endpoints beyond do as the profile says for all."""

    def __post_init__(self) -> None:
        """Refuse what no network could do.

        Raises:
            ValueError: A value is out of range.
        """
        _Checked.__post_init__(self)
        if not 1 <= self.blockhash_blocks <= BLOCKHASH_AGE_MAX_BLOCKS:
            raise ValueError(
                f"blockhash_blocks is {self.blockhash_blocks}, expected 1 to {BLOCKHASH_AGE_MAX_BLOCKS}"
            )
        if self.lag_blocks_max > LAG_BLOCKS_MAX:
            raise ValueError(f"lag_blocks is {self.lag_blocks_max}, expected 0 to {LAG_BLOCKS_MAX}")
        for replies in (self.replies, *(each.replies for each in self.endpoints)):
            total = 0 if replies is None else sum(spoilage_bps(replies).values())
            if total > ALWAYS_BPS:
                raise ValueError(
                    f"the chances of replies add up to {total} bps, expected at most {ALWAYS_BPS}"
                )

    @property
    def lag_blocks_max(self) -> int:
        """The lag of the endpoint furthest behind."""
        return max((each.lag_blocks for each in self.endpoints), default=0)

    def endpoint(self, number: int) -> EndpointFaults:
        """What the `number`th endpoint does, nothing left open."""
        own = self.endpoints[number] if number < len(self.endpoints) else EndpointFaults()
        return EndpointFaults(
            lag_blocks=own.lag_blocks,
            sending=own.sending or self.sending,
            replies=own.replies or self.replies,
            streams=own.streams or self.streams,
        )


def spoilage_bps(replies: ReplyFaults) -> Mapping[str, int]:
    """The chance of each way to spoil a reply, by its name."""
    return {
        each.name.removesuffix("_bps"): getattr(replies, each.name)
        for each in fields(replies)
        if each.name.endswith("_bps") and each.name != "late_bps"
    }
