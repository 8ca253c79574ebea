"""The close of an epoch: what was mined, what the claims come to, and what of it the pot can pay.

Core. The lines of a close, in order: the close itself, the emission into the pot, mining by wallet and version, what flooring
a wallet's claims once is more than flooring each, what over-subscription takes away, and the allocations. Wallets by bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from incentives.lines import Allocation, Anomaly, Code, EpochClose, Line, Transfer
from incentives.parameters import Parameters
from incentives.rules.accounts import POT, SEASON, accrued, name_of, payable
from incentives.rules.accruals import Accruals
from incentives.rules.formulas import CLAIM_DENOMINATOR, mining_claim, share_out
from incentives.rules.mining import Mined
from incentives.rules.season import Season


@dataclass(frozen=True, slots=True)
class _Owed:
    """What one wallet's claims come to."""

    wallet: bytes
    numerator: int
    posted: int
    """Whole base units of its claims, each rounded down by itself."""

    @property
    def claim(self) -> int:
        """The exact claim, rounded down once, base units."""
        return self.numerator // CLAIM_DENOMINATOR


@dataclass(frozen=True, slots=True)
class Closing:
    """What an epoch's close needs to know."""

    epoch: int
    season: Season
    parameters: Parameters
    pot_before: int
    """What earlier epochs left, less foreign payouts; below zero where those took more."""

    @property
    def cause(self) -> str:
        """What the close's transfers follow from."""
        return f"epoch:{self.epoch}"

    @property
    def emitted(self) -> int:
        """What the epoch adds to the pot."""
        return self.season.emitted_in(self.epoch)

    def transfer(
        self,
        code: Code,
        leg: int,
        debit: str,
        credit: str,
        amount: int,
        inputs: dict[str, int | str] | None = None,
        version: int | None = None,
    ) -> Transfer:
        """Return a transfer of this close."""
        return Transfer(
            cause=self.cause,
            leg=leg,
            code=code,
            slot=self.season.end_of(self.epoch),
            debit=debit,
            credit=credit,
            amount=amount,
            epoch=self.epoch,
            rules_version=version or self.parameters.version_at(self.epoch),
            inputs=inputs,
        )

    def mining(
        self, accruals: Accruals, liquidity: Sequence[Mined]
    ) -> Iterator[Transfer | Anomaly]:
        """Accrue what the epoch's liquidity mined."""
        leg = 0
        for mined in liquidity:
            amount = accruals.add(mined.wallet, self._claim(mined))
            if amount is None:
                yield Anomaly(
                    "claim_beyond_limit",
                    self.cause,
                    self.season.end_of(self.epoch),
                    f"what {name_of(mined.wallet)} mined is beyond what an epoch's claims may come to",
                )
            elif amount:
                inputs: dict[str, int | str] = {
                    "value_slots": str(mined.value_slots),
                    "bootstrap_value_slots": str(mined.bootstrap_value_slots),
                }
                to = accrued(mined.wallet)
                yield self.transfer(Code.MINING, leg, POT, to, amount, inputs, mined.version)
                leg += 1

    def _claim(self, mined: Mined) -> int:
        rules = self.parameters.rules(mined.version)
        return mining_claim(mined.value_slots, mined.bootstrap_value_slots, rules)

    def lines(self, accruals: Accruals, liquidity: Sequence[Mined]) -> Iterator[Line]:
        """Yield the lines of the close; its EpochClose comes first."""
        mining = list(self.mining(accruals, liquidity))
        owed = [_Owed(*found) for found in accruals.by_wallet()]
        claims, pot = sum(one.claim for one in owed), self.pot_before + self.emitted
        shares = share_out(pot, [(one.wallet, one.claim) for one in owed])
        start, end = self.season.start_of(self.epoch), self.season.end_of(self.epoch)
        yield EpochClose(
            epoch=self.epoch,
            start_slot=start,
            end_slot=end,
            rolled_over=self.pot_before,
            emitted=self.emitted,
            claim_denominator=CLAIM_DENOMINATOR,
            is_scaled=claims > max(pot, 0),
            allocations=tuple(
                Allocation(name_of(one.wallet), one.numerator, share)
                for one, share in zip(owed, shares, strict=True)
            ),
        )
        inputs: dict[str, int | str] = {
            "season_start_slot": self.season.start_slot,
            "season_slots": self.season.slots,
            "start_slot": start,
            "end_slot": end,
        }
        if self.emitted:
            yield self.transfer(Code.EMISSION, 0, SEASON, POT, self.emitted, inputs)
        yield from mining
        yield from self._round(owed)
        yield from self._scale(owed, shares, claims, pot)
        yield from self._allocate(owed, shares)

    def _round(self, owed: list[_Owed]) -> Iterator[Transfer]:
        uneven = (one for one in owed if one.claim > one.posted)
        for leg, one in enumerate(uneven):
            yield self.transfer(
                Code.ROUNDING, leg, POT, accrued(one.wallet), one.claim - one.posted
            )

    def _scale(
        self, owed: list[_Owed], shares: list[int], claims: int, pot: int
    ) -> Iterator[Transfer]:
        cut = ((one, share) for one, share in zip(owed, shares, strict=True) if share < one.claim)
        for leg, (one, share) in enumerate(cut):
            inputs: dict[str, int | str] = {
                "claim": str(one.claim),
                "claims": str(claims),
                "pot": str(pot),
            }
            yield self.transfer(
                Code.SCALING, leg, accrued(one.wallet), POT, one.claim - share, inputs
            )

    def _allocate(self, owed: list[_Owed], shares: list[int]) -> Iterator[Transfer]:
        given = ((one, share) for one, share in zip(owed, shares, strict=True) if share)
        for leg, (one, share) in enumerate(given):
            yield self.transfer(
                Code.ALLOCATION, leg, accrued(one.wallet), payable(one.wallet), share
            )
