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
from programs.event_layout import EventKind
from programs.genesis import MMT_SUPPLY, SINK_MMT
from programs.instructions.tags import Tag

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
            ours = [ix for ix in ixs if ix.program_id == self.program]
            self.landed.update(Tag(bytes(ix.data)[0]) for ix in ours)
        return result

    def send(self, ixs: Instruction | Sequence[Instruction], signers: Sequence[Keypair]) -> Receipt:
        receipt = super().send(ixs, signers)
        self.said.update(event.kind for event in receipt.events)
        return receipt

    def states(self, accounts: set[Pubkey]) -> dict[Pubkey, tuple[int, bytes, Pubkey] | None]:
        """What each of these accounts is by now."""

        def state(account: Account | None) -> tuple[int, bytes, Pubkey] | None:
            return account and (account.lamports, account.data, account.owner)

        return {address: state(self.svm.get_account(address)) for address in accounts}

    def audit(self) -> None:
        super().audit()
        supply = self.data(self.mmt_mint.pubkey())[_SUPPLY_AT : _SUPPLY_AT + 8]
        assert int.from_bytes(supply, "little") == MMT_SUPPLY
        sink = addresses.sink_tokens_address(self.program)[0]
        assert self.tokens(sink) == SINK_MMT, "the entropy sink was touched"
