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

    def allocate(self, accruals: Accruals) -> tuple[EpochClose, list[tuple[bytes, int, int]]]:
        """Return the close, and for each of its allocations the wallet, its whole claim, and what of it was posted."""
        owed = [
            (wallet, numerator, numerator // CLAIM_DENOMINATOR, posted)
            for wallet, numerator, posted in accruals.by_wallet()
        ]
        pot = self.pot_before + self.emitted
        shares = share_out(pot, [(wallet, claim) for wallet, _, claim, _ in owed])
        close = EpochClose(
            epoch=self.epoch,
            start_slot=self.season.start_of(self.epoch),
            end_slot=self.season.end_of(self.epoch),
            rolled_over=self.pot_before,
            emitted=self.emitted,
            claim_denominator=CLAIM_DENOMINATOR,
            is_scaled=sum(claim for _, _, claim, _ in owed) > max(pot, 0),
            allocations=tuple(
                Allocation(name_of(wallet), numerator, share)
                for (wallet, numerator, _, _), share in zip(owed, shares, strict=True)
            ),
        )
        return close, [(wallet, claim, posted) for wallet, _, claim, posted in owed]

    def lines(self, accruals: Accruals, liquidity: Sequence[Mined]) -> Iterator[Line]:
        """Yield the lines of the close; the first that is an EpochClose says what is allocated."""
        mining = list(self.mining(accruals, liquidity))
        close, owed = self.allocate(accruals)
        shares = [allocation.amount for allocation in close.allocations]
        yield close
        if self.emitted:
            yield self.transfer(Code.EMISSION, 0, SEASON, POT, self.emitted)
        yield from mining
        yield from self._each(
            Code.ROUNDING,
            [(POT, accrued(wallet), claim - posted) for wallet, claim, posted in owed],
        )
        yield from self._each(
            Code.SCALING,
            [
                (accrued(wallet), POT, claim - share)
                for (wallet, claim, _), share in zip(owed, shares, strict=True)
            ],
        )
        yield from self._each(
            Code.ALLOCATION,
            [
                (accrued(wallet), payable(wallet), share)
                for (wallet, _, _), share in zip(owed, shares, strict=True)
            ],
        )

    def _each(self, code: Code, moves: list[tuple[str, str, int]]) -> Iterator[Transfer]:
        above_zero = (move for move in moves if move[2])
        for leg, (debit, credit, amount) in enumerate(above_zero):
            yield self.transfer(code, leg, debit, credit, amount)
