"""Due chains whose next step is refused: told once, with the program's own reason, until they move again.

Shell, though it does no I/O: it counts and logs.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from solders.pubkey import Pubkey

from keeper.chain_permits import LANE
from keeper.tally import StuckChain, Tally
from programs.chain_account import Chain
from programs.errors import BY_NAME, describe
from programs.units import Slot

_NOT_DUE: Final = frozenset(
    BY_NAME[name].code
    for name in (
        "HALTED",
        "MARKET_NOT_OPEN",
        "CHAIN_EXPIRED",
        "PRICE_CLASS",
        "PRICE_STALE",
        "NOT_TRIGGERED",
    )
)
"""What the program asks of every step, before it looks at the next one."""
_OVERTAKEN: Final = frozenset(
    BY_NAME[name].code for name in ("STEP_OUT_OF_ORDER", "CHAIN_NOT_RUNNING", "WRONG_OWNER")
)
"""Somebody else was there first; a chain that is gone belongs to the system program."""
_GONE: Final = BY_NAME["WRONG_OWNER"].code
log = structlog.get_logger()


def why_harmless(code: int | None) -> Literal["no_longer_due", "overtaken"] | None:
    """Say why a refusal is nobody's fault: what we saw is no longer so. None when the step itself is refused."""
    if code in _NOT_DUE:
        return "no_longer_due"
    return "overtaken" if code in _OVERTAKEN else None


def is_gone(code: int | None) -> bool:
    """Whether the account is no chain any more: it ended, and our sight shows it until the next scan, for nobody tells of that."""
    return code == _GONE


@dataclass(slots=True)
class StuckChains:
    """The chains that stand still though they are due; kept in the tally."""

    tally: Tally

    def note(
        self, address: Pubkey, chain: Chain, code: int, slot: Slot, *, is_forecast: bool
    ) -> None:
        """Note that the program refuses a chain's next step with this code."""
        known = self.tally.stuck_chains.get(str(address))
        refusal, _, reason = describe(code).partition(": ")
        stuck = StuckChain(
            step=chain.next_step,
            kind=chain.steps[chain.next_step].kind.name.lower(),
            refusal=refusal,
            reason=reason,
            since_slot=slot if known is None else known.since_slot,
            is_forecast=is_forecast,
        )
        self.tally.stuck_chains[str(address)] = stuck
        if known is None or known.refusal != refusal:
            self.tally.refusals[f"{LANE}.stuck:{refusal}"] += 1
            log.warning(
                "chain.stuck",
                chain=str(address),
                step=stuck.step,
                kind=stuck.kind,
                refusal=refusal,
                reason=reason,
                since_slot=stuck.since_slot,
            )

    def has(self, address: Pubkey) -> bool:
        """Tell whether a chain stands still."""
        return str(address) in self.tally.stuck_chains

    def note_runs(self, address: Pubkey) -> None:
        """Note that by our arithmetic its next step runs: no word against what the program itself said."""
        known = self.tally.stuck_chains.get(str(address))
        if known is not None and known.is_forecast:
            self.free(address)

    def free(self, address: Pubkey) -> None:
        """Note that a step of it landed."""
        self._free(str(address))

    def keep_only(self, due: Collection[Pubkey]) -> None:
        """Forget all chains that are not due: they wait for their trigger, and are not stuck."""
        names = {str(address) for address in due}
        for address in self.tally.stuck_chains.keys() - names:
            self._free(address)

    def _free(self, address: str) -> None:
        known = self.tally.stuck_chains.pop(address, None)
        if known is not None:
            log.info("chain.freed", chain=address, step=known.step, refusal=known.refusal)
