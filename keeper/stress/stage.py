"""The stage on which a stress run plays: the chain to look at, the venue to move, users to trade, a keeper that works.

Shell.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import trio
from solders.pubkey import Pubkey

from keeper.drills.places import Place
from keeper.drills.venue.app import ScriptedHouse
from keeper.sandbox.cast import Actor, Cast
from keeper.stress.model import Phase
from keeper.stress.settings import Settings
from keeper.stress.users import Crowd
from programs.accounts import Market, Vault
from programs.addresses import vault_address
from programs.event_layout import EventKind
from programs.events import decode_logs
from programs.localnet.server import Localnet
from programs.rpc import Rpc
from programs.units import Slot

_LOOKS_PER_SLOT: Final = 4
_LOOK_S: Final = 0.005
"""Between two looks at the clock: as exact as the time of a landing is known, while the loop has room."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """What a scenario may do. Markets are numbered from 0."""

    scale: float
    settings: Settings
    program: Pubkey
    localnet: Localnet
    house: ScriptedHouse
    """The venue: `set_truth`, `tell`, `answer` of its families."""
    places: tuple[Place, ...]
    """Of the venue's markets on chain, in their order."""
    cast: Cast
    rpc: Rpc
    """The network's quiet endpoint, for set-up: nothing goes wrong there."""
    crowd: Crowd
    keeper: Pubkey
    started_s: float
    slot_at_start: int
    """The chain's, when the keeper was started."""
    tell: Callable[[str], None]
    """Says to whoever waits how far it is."""
    runs_chains: bool = True
    """Whether this run's keeper executes chains."""
    phases: list[Phase] = field(default_factory=list)
    slots: dict[int, float] = field(default_factory=dict)
    """When each slot began, seconds of the run."""
    looks: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    """Of each slot: how many transactions were in it, and when that was first seen, seconds of the run."""
    kept: dict[str, Any] = field(default_factory=dict)
    """For the scenario's own judge, by name."""
    _open: tuple[str, float] | None = None

    @property
    def now_s(self) -> float:
        """Seconds since the keeper was ready."""
        return trio.current_time() - self.started_s

    @property
    def slot(self) -> int:
        """The chain's slot."""
        return self.localnet.bank.slot

    @property
    def users(self) -> tuple[Actor, ...]:
        """Those with funds."""
        return self.crowd.users

    def begin(self, phase: str) -> None:
        """Start an act, ending the one before it."""
        self.end()
        self._open = (phase, self.now_s)
        self.tell(phase)

    def end(self) -> None:
        """End the act that is on."""
        if self._open is not None:
            name, starts_s = self._open
            self.phases.append(Phase(name=name, starts_s=starts_s, ends_s=self.now_s))
            self._open = None

    async def wait(self, is_met: Callable[[], bool], within_s: float) -> bool:
        """Wait until something is so, looking a few times a slot; False: it took too long."""
        pause_s = self.settings.slot_ms / 1_000 / _LOOKS_PER_SLOT
        with trio.move_on_after(within_s):
            while not is_met():  # noqa: ASYNC110 - a chain has no event to wait for
                await trio.sleep(pause_s)
            return True
        return False

    async def wait_slots(self, count: int) -> None:
        """Let so many slots pass."""
        until = self.slot + count
        await self.wait(lambda: self.slot >= until, 10 * count * self.settings.slot_ms / 1_000)

    def market(self, number: int) -> Market:
        """Return a market's account."""
        account = self.localnet.bank.account(self.places[number].address)
        assert account is not None, "a market is never closed"
        return Market.from_bytes(account.data)

    def events_in(self, slot: int, kind: EventKind) -> int:
        """Return how many events of a kind a closed slot has."""
        return sum(
            event.kind is kind
            for record in self.localnet.bank.ledger.in_slot(Slot(slot))
            if record.error is None
            for event in decode_logs(record.meta.logs(), self.program)
        )

    def vault(self) -> Vault:
        """Return the vault's account."""
        account = self.localnet.bank.account(vault_address(self.program)[0])
        assert account is not None, "founding made it"
        return Vault.from_bytes(account.data)

    async def keep_time(self) -> None:
        """Note when each slot begins and when transactions come into it, for ever."""
        ledger, seen = self.localnet.bank.ledger, 0
        while True:
            slot, at_s = self.slot, self.now_s
            self.slots.setdefault(slot, at_s)
            if ledger.landed_count != seen:
                seen = ledger.landed_count
                for each in (Slot(slot - 1), Slot(slot)):
                    self._look(each, len(ledger.in_slot(each)), at_s)
            await trio.sleep(_LOOK_S)

    def _look(self, slot: int, count: int, at_s: float) -> None:
        looks = self.looks.setdefault(slot, [])
        if count > (looks[-1][0] if looks else 0):
            looks.append((count, at_s))
