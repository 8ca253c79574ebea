"""The platform under test, watched closely: what landed is counted, and a refusal must leave every account as it was."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness import Platform, Receipt
from solders.account import Account
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from programs import addresses
from programs.accounts import Market
from programs.event_layout import EventKind
from programs.genesis import MMT_SUPPLY, SINK_MMT
from programs.instructions.tags import Tag
from programs.layout import POSITION_DTYPE, AccountKind, offset_of

States = dict[Pubkey, tuple[int, bytes, Pubkey] | None]

_MARKET_AT = offset_of(POSITION_DTYPE, "market")
_SUPPLY_AT = 36
"""Of an SPL mint."""


@dataclass(repr=False)
class WatchedPlatform(Platform):
    """Counts into what it is given, which may outlive it."""

    landed: Counter[Tag] = field(default_factory=Counter)
    said: Counter[EventKind] = field(default_factory=Counter)

    def try_send(
        self, ixs: Sequence[Instruction], signers: Sequence[Keypair]
    ) -> TransactionMetadata | FailedTransactionMetadata:
        payer = signers[0].pubkey()  # pays for the signatures of a refused transaction too
        metas = [meta for ix in ixs for meta in ix.accounts]
        written = {meta.pubkey for meta in metas if meta.is_writable} - {payer}
        before = self.states(written)
        result = super().try_send(ixs, signers)
        if isinstance(result, FailedTransactionMetadata):
            assert self.states(written) == before, "a refusal changed something"
        else:
            self.require_told(before, self.states(written))
            ours = [ix for ix in ixs if ix.program_id == self.program]
            self.landed.update(Tag(bytes(ix.data)[0]) for ix in ours)
        return result

    def send(self, ixs: Instruction | Sequence[Instruction], signers: Sequence[Keypair]) -> Receipt:
        receipt = super().send(ixs, signers)
        self.said.update(event.kind for event in receipt.events)
        return receipt

    def states(self, accounts: set[Pubkey]) -> States:
        """What each of these accounts is by now."""

        def state(account: Account | None) -> tuple[int, bytes, Pubkey] | None:
            return account and (account.lamports, account.data, account.owner)

        return {address: state(self.svm.get_account(address)) for address in accounts}

    def require_told(self, before: States, after: States) -> None:
        """Where a position changed, its market's events went on: a keeper that starts from a snapshot relies on it."""
        for address in before:
            was, found = (self.ours(states[address]) for states in (before, after))
            held = was or found
            if was == found or not held or held[0] != AccountKind.POSITION:
                continue
            market = Pubkey.from_bytes(held[_MARKET_AT : _MARKET_AT + 32])
            old, new = (self.ours(states.get(market)) for states in (before, after))
            assert old is not None, "a position changed and its market was not even written"
            assert new is not None, "markets stay"
            assert Market.from_bytes(old).event_sequence < Market.from_bytes(new).event_sequence

    def ours(self, state: tuple[int, bytes, Pubkey] | None) -> bytes | None:
        """The data of an account of the program."""
        return state[1] if state and state[2] == self.program and state[1] else None

    def audit(self) -> None:
        super().audit()
        supply = self.data(self.mmt_mint.pubkey())[_SUPPLY_AT : _SUPPLY_AT + 8]
        assert int.from_bytes(supply, "little") == MMT_SUPPLY
        sink = addresses.sink_tokens_address(self.program)[0]
        assert self.tokens(sink) == SINK_MMT, "the entropy sink was touched"
