"""The stage on which a scenario plays: a scripted venue behind doors that break, a chain to look at, a keeper to kill.

Shell, but for sockets: everything runs on trio's clock, and the doors are whatever the world has, so that the same stage
serves real sockets and the virtual clock.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.drills.chain_log import ChainLog, LandedTransaction
from keeper.drills.faults import Canned, Family, Telling, Wire
from keeper.drills.model import Phase, PhaseName
from keeper.drills.places import Place
from keeper.drills.scenario import Settings
from keeper.drills.venue.app import ScriptedHouse
from keeper.prices.price import CHAIN_CLASSES, PriceClass
from programs.accounts import Market
from programs.localnet.bank import Bank
from programs.localnet.ledger import TransactionRecord

_NEAR_E6: Final = 6_000
"""How close to the truth the chain must be to have settled: twice the wander, and a posting threshold."""
_LOOKS_PER_SLOT: Final = 2


class Door(Protocol):
    """What stands before a family's endpoints."""

    def set(self, *wires: Wire, share_percent: int = 100) -> None:
        """Change what connections suffer from now on; no wires: nothing."""
        ...


@dataclass(slots=True, kw_only=True)
class WorldStage:
    """Implements `scenario.Stage`."""

    settings: Settings
    house: ScriptedHouse
    doors: Mapping[Family, Door]
    bank: Bank
    places: tuple[Place, ...]
    """Of the script's markets, in their order."""
    chain: ChainLog
    payer: Pubkey
    restart: Callable[[float], Awaitable[None]]
    """Kills the keeper, waits so many seconds, starts it anew."""
    started_s: float = field(default_factory=trio.current_time)
    phases: list[Phase] = field(default_factory=list)
    _open: tuple[PhaseName, float, tuple[str, ...]] | None = None
    _seen: set[Signature] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Leave aside what landed before the drill."""
        self._seen.update(self._signatures())

    @property
    def now_s(self) -> float:
        """Seconds since the drill's start."""
        return trio.current_time() - self.started_s

    def begin(self, phase: PhaseName, *faults: str) -> None:
        """Start an act, ending the one before it."""
        self.end()
        self._open = (phase, self.now_s, faults)

    def end(self) -> None:
        """End the act that is on."""
        if self._open is not None:
            name, starts_s, faults = self._open
            self.phases.append(
                Phase(name=name, starts_s=starts_s, ends_s=self.now_s, faults=faults)
            )
            self._open = None

    async def hold(self, duration_s: float) -> None:
        """Let time pass."""
        await trio.sleep(duration_s)

    async def settle(
        self,
        *,
        within_s: float,
        market: int | None = None,
        price_class: PriceClass = PriceClass.VALID,
    ) -> bool:
        """Wait until the chain has the truth at this class, by a post that is newer than the wait."""
        numbers = range(len(self.places)) if market is None else (market,)
        since = self.bank.slot
        return await self._wait(
            lambda: all(self._is_settled(number, price_class, since) for number in numbers),
            within_s,
        )

    async def wait_liquidated(self, *, market: int, at_least: int, within_s: float) -> bool:
        """Wait until so many of a market's planted positions were liquidated, in whole or in part."""
        name = self.places[market].name
        return await self._wait(lambda: self.chain.liquidated(name) >= at_least, within_s)

    async def wait_asked(self, family: Family, *, path: str, times: int, within_s: float) -> bool:
        """Wait until the keeper has asked a path of the family so many times more, and was answered."""
        before = self.house.count_asked(family, path)
        return await self._wait(
            lambda: self.house.count_asked(family, path) >= before + times, within_s
        )

    def set_truth(self, market: int, price_e6: int | None) -> None:
        """Say what a market is worth from now on."""
        self.house.set_truth(market, price_e6)

    def tell(self, family: Family, telling: Telling, *, market: int | None = None) -> None:
        """Let a family say something else from now on."""
        self.house.tell(family, telling, market)

    def answer(self, family: Family, canned: Canned | None, *, path: str = "") -> None:
        """Let a family answer so from now on; None ends it."""
        self.house.answer(family, canned, path)

    def break_wire(self, family: Family, *wires: Wire, share_percent: int = 100) -> None:
        """Let bytes of a family suffer so from now on; no wires: mend it."""
        self.doors[family].set(*wires, share_percent=share_percent)

    def push(self, text: str) -> None:
        """Send a text frame to every socket of the stream."""
        self.house.push(text)

    def hang_up(self) -> None:
        """Close every socket of the stream."""
        self.house.hang_up()

    def shift_venue_clock(self, offset_ms: int) -> None:
        """Set the venue's clock so far from the true one from now on."""
        self.house.script.shift_clock(offset_ms)

    async def restart_keeper(self, *, down_s: float) -> None:
        """Kill the keeper with -9, leave it dead for so long, and start it anew on the same state."""
        await self.restart(down_s)

    async def watch(self) -> None:
        """Follow what the keeper's transactions do, for ever: the moment of each is when it is seen, a look after it landed."""
        while True:
            self.look()
            await trio.sleep(self.settings.slot_s / _LOOKS_PER_SLOT)

    def look(self) -> None:
        """Take in the payer's transactions that landed since the last look."""
        fresh: list[TransactionRecord] = []
        for record in self.bank.ledger.newest_first(self.payer):
            if record.signature in self._seen:
                break
            self._seen.add(record.signature)
            fresh.append(record)
        for record in reversed(fresh):
            self.chain.take(
                LandedTransaction(
                    at_s=self.now_s,
                    slot=record.slot,
                    signature=str(record.signature),
                    transaction=record.transaction,
                    addresses=record.locked.addresses,
                    logs=record.meta.logs(),
                    is_ok=record.error is None,
                )
            )

    def market(self, number: int) -> Market:
        """Return the account in which a market's price stands."""
        account = self.bank.account(self.places[number].address)
        assert account is not None, "a market is never closed"
        return Market.from_bytes(account.data)

    def _signatures(self) -> list[Signature]:
        return [record.signature for record in self.bank.ledger.newest_first(self.payer)]

    def _is_settled(self, number: int, price_class: PriceClass, since: int) -> bool:
        truth_e6 = self.house.script.truth_e6(number)
        market = self.market(number)
        if market.price_update_slot <= since:
            return False
        price_e6 = market.pools[self.places[number].pool].price_e6
        is_near = truth_e6 is not None and abs(price_e6 - truth_e6) <= _NEAR_E6
        return is_near and CHAIN_CLASSES[market.price_class] is price_class

    async def _wait(self, is_met: Callable[[], bool], within_s: float) -> bool:
        with trio.move_on_after(within_s):
            while not is_met():  # noqa: ASYNC110 - a chain has no event to wait for
                await trio.sleep(self.settings.slot_s / _LOOKS_PER_SLOT)
            return True
        return False
