"""Which chains could go now: due, permitted as we see their market, and with a next step that the program would run.

Shell, though it does no I/O: it reads the clock, counts and tells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio
from solders.pubkey import Pubkey

from keeper.chain_book import ChainBook, next_book
from keeper.chain_permits import LANE, ChainPermits
from keeper.chain_plan import Forecasts, Scene
from keeper.due_chains import DueChain, FoundChains, find_chains
from keeper.permits import Sight
from keeper.stuck_chains import StuckChains
from keeper.tally import Tally
from programs.chain_account import Chain
from programs.chains import Forecast
from programs.units import Slot

_FORECASTS_PER_LOOK: Final = 240
"""About a fifth of a slot, at a third of a millisecond each; the others have their turn at the next look."""
_STUCK_PER_LOOK: Final = 60
"""Of them for chains that were stuck before: they must not take the turns of those that may run."""
_FORECASTS_PER_CHECKPOINT: Final = 20
_TRADES_COUNTED: Final = 100
"""Later ones leave the platform's counter alone. Source: SPEC.md section 5."""

Named = tuple[Pubkey, Chain]
"""A chain with its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What one look leaves to do."""

    scene: Scene
    runs: Sequence[Named]
    """Chains of which a step runs, the most urgent first."""
    ended: Sequence[Named]
    """Chains to cancel, those that owe the vault most first."""


@dataclass(slots=True)
class ChainAgenda:
    """What is known of all chains, from one look to the next."""

    tally: Tally
    permits: ChainPermits
    stuck: StuckChains
    due_at_s: dict[Pubkey, float] = field(default_factory=dict)
    """Since when steps of a chain could land, but for our own doing; trio clock. One that we may not execute, or whose
    step is refused, is not late."""
    _since: dict[Pubkey, Slot] = field(default_factory=dict)
    _forecasts: Forecasts = field(default_factory=Forecasts)
    _book: ChainBook | None = None
    _turn: int = 0
    """Whose turn it is among the stuck."""
    _unreadable: int = 0

    async def review(self, sight: Sight, slot: Slot, must_wait: Callable[[Named], bool]) -> Ready:
        """Look at all chains.

        Args:
            sight: as we see the world.
            slot: in which a transaction may land.
            must_wait: tells of a chain whether it cannot be decided yet.
        """
        snapshot = sight.snapshot
        book = self._book = next_book(snapshot.chains, self._book)
        self._note_unreadable(book)
        scene = Scene(
            markets=snapshot.markets,
            vault=snapshot.vault,
            counts_trade=snapshot.global_.trade_count < _TRADES_COUNTED,
            is_halted=bool(snapshot.global_.halted),
            slot=slot,
        )
        found = find_chains(
            book, snapshot.markets, slot=slot, is_halted=scene.is_halted, since=self._since
        )
        self._remember(found)
        runs = await self._runs(sight, book, scene, found.due, must_wait)
        ended = [(each.address, book[each.address]) for each in found.ended if each.bounty]
        return Ready(scene=scene, runs=runs, ended=[each for each in ended if not must_wait(each)])

    def restart(self, address: Pubkey) -> None:
        """Note that steps of a chain landed: what is left of it is due anew, from the next look on."""
        self.due_at_s.pop(address, None)
        self._since.pop(address, None)
        self.stuck.free(address)

    def _remember(self, found: FoundChains) -> None:
        self.tally.chains_due = len(found.due)
        self._since = {each.address: each.since_slot for each in found.due}
        self.due_at_s = {
            address: at_s for address, at_s in self.due_at_s.items() if address in self._since
        }
        self.stuck.keep_only(self._since.keys())
        self._forecasts.keep_only(self._since)

    async def _runs(
        self,
        sight: Sight,
        book: ChainBook,
        scene: Scene,
        due: Sequence[DueChain],
        must_wait: Callable[[Named], bool],
    ) -> list[Named]:
        """Return the due chains of which a step runs, and tell of the others why not."""
        allowed: dict[tuple[Pubkey, int], bool] = {}
        runs: dict[Pubkey, Chain] = {}
        made = 0
        for each in self._in_turn(due):
            chain = book[each.address]
            if not self._is_allowed(sight, each, allowed) or must_wait((each.address, chain)):
                continue
            stand = scene.stand(chain)
            found = self._forecasts.find(each.address, stand)
            if found is None:
                if made == _FORECASTS_PER_LOOK:
                    break
                found = self._forecasts.make(each.address, stand, scene.slot)
                made += 1
                if made % _FORECASTS_PER_CHECKPOINT == 0:
                    await trio.lowlevel.checkpoint()
            if self._note(each.address, chain, found, scene.slot):
                runs[each.address] = chain
        return [(each.address, runs[each.address]) for each in due if each.address in runs]

    def _is_allowed(
        self, sight: Sight, due: DueChain, known: dict[tuple[Pubkey, int], bool]
    ) -> bool:
        """Ask once a look for each outcome; a chain is not late while we may not execute it."""
        place = due.market, due.pool
        if place not in known:
            known[place] = self.permits.allows(sight, *place)
        if not known[place]:
            self.due_at_s.pop(due.address, None)
        elif not self.stuck.has(due.address):
            self.due_at_s.setdefault(due.address, trio.current_time())
        return known[place]

    def _note(self, address: Pubkey, chain: Chain, found: Forecast, slot: Slot) -> bool:
        """Note whether a permitted chain runs or is stuck; tell whether it runs."""
        if found.steps:
            self.due_at_s.setdefault(address, trio.current_time())
            self.stuck.note_runs(address)
        elif found.refusal is not None:
            self.due_at_s.pop(address, None)
            self.stuck.note(address, chain, found.refusal.code, slot, is_forecast=True)
        return bool(found.steps)

    def _in_turn(self, due: Sequence[DueChain]) -> list[DueChain]:
        """List what may run, then some of what was stuck, each in turn."""
        moving = [each for each in due if not self.stuck.has(each.address)]
        stuck = [each for each in due if self.stuck.has(each.address)]
        at = self._turn % len(stuck) if stuck else 0
        self._turn = at + _STUCK_PER_LOOK
        return moving + (stuck[at:] + stuck[:at])[:_STUCK_PER_LOOK]

    def _note_unreadable(self, book: ChainBook) -> None:
        if book.unreadable > self._unreadable:
            self.tally.refusals[f"{LANE}.unreadable"] += book.unreadable - self._unreadable
        self._unreadable = book.unreadable
