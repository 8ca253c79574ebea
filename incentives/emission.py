"""How much MMT the season has emitted by a slot.

E(s) = floor(B * (s - s0) / season), B the whole season's budget; an interval earns E(b) - E(a). It telescopes, so any
partition of the season sums to B exactly: no dust, and no rate to round.

Source: SPEC.md section 3, LEDGER.md "Emission".
"""

from programs.genesis import SEASON_SLOTS, TREASURY_MMT
from programs.units import BaseUnits, Slot


def emitted_by(slot: Slot, season_start_slot: Slot, season_slots: int = SEASON_SLOTS) -> BaseUnits:
    """Return E(slot) in MMT base units (1e-9), rounded down: 0 before the season, the whole budget after it."""
    elapsed = min(max(slot - season_start_slot, 0), season_slots)
    return BaseUnits(TREASURY_MMT * elapsed // season_slots)


def emitted_between(
    first: Slot, last: Slot, season_start_slot: Slot, season_slots: int = SEASON_SLOTS
) -> BaseUnits:
    """Return what the slots after `first` up to `last` earn, MMT base units.

    Raises:
        ValueError: the interval runs backwards.
    """
    if last < first:
        raise ValueError(f"the interval ends at slot {last}, before its start at {first}")
    return BaseUnits(
        emitted_by(last, season_start_slot, season_slots)
        - emitted_by(first, season_start_slot, season_slots)
    )
