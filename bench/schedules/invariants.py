"""What must hold after every event, whatever goes wrong.

Nothing leaves that is not recorded; nothing is signed again while the former could land; nothing that was planned once is done
twice; and in the end the record is the chain's. Shell only in that it reads the database between two commits.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from solders.signature import Signature
from sqlite_utils import Database

from bench.schedules.cluster import Cluster
from bench.schedules.trace import Trace
from programs.outcomes import err_text

Effect = tuple[str, str]
"""Job and the state that it was planned on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One recorded attempt, as the invariants need it."""

    signature: Signature
    last_valid_height: int
    effects: tuple[Effect, ...]


@dataclass(slots=True, kw_only=True)
class Invariants:
    """Watches one world through all lives of its keeper."""

    cluster: Cluster
    trace: Trace
    broken: list[str] = field(default_factory=list)
    """One sentence for each thing that must not be."""
    _known: dict[Signature, Known] = field(default_factory=dict)
    _by_effect: defaultdict[Effect, list[Known]] = field(default_factory=lambda: defaultdict(list))
    _told_absent: set[Signature] = field(default_factory=set)
    _last_id: int = 0

    def after_commit(self, db: Database) -> None:
        """Look at the attempts that have just been committed."""
        rows = db.conn.execute(
            "SELECT id, signature, last_valid_block_height FROM attempt WHERE id > ? ORDER BY id",
            [self._last_id],
        ).fetchall()
        for attempt_id, signature, last_valid_height in rows:
            self._last_id = attempt_id
            jobs = db.conn.execute(
                "SELECT job_id, effect FROM attempt_job WHERE attempt_id = ? ORDER BY job_id",
                [attempt_id],
            ).fetchall()
            attempt = Known(
                signature=Signature.from_string(signature),
                last_valid_height=last_valid_height,
                effects=tuple((job_id, effect) for job_id, effect in jobs),
            )
            self._take(attempt, failed=_failed(db))

    def _take(self, attempt: Known, failed: frozenset[str]) -> None:
        """Compare with the former attempts of the same effects.

        A failure that was confirmed is believed at once: to find the guilty job of a batch could not wait for finality
        at every step. It holds its jobs again from when a node has said that it is in no block.
        """
        self.trace.note("recorded", attempt.signature, *attempt.effects)
        for effect in attempt.effects:
            for former in self._by_effect[effect]:
                is_believed = (
                    str(former.signature) in failed and former.signature not in self._told_absent
                )
                why = None if is_believed else self._why_alive(former)
                if why is not None:
                    self.note(f"{effect} was signed again while {former.signature} {why}")
            self._by_effect[effect].append(attempt)
        self._known[attempt.signature] = attempt

    def _why_alive(self, former: Known) -> str | None:
        if self.cluster.is_on_chain(former.signature):
            has_failed = self.cluster.error_of(former.signature) is not None
            return None if has_failed else "is on chain"
        transaction = self.cluster.transactions.get(former.signature)
        if transaction is None:
            # Not one byte of it has arrived; its sender may still hold it.
            is_late = self.cluster.tip.height + 1 > former.last_valid_height
            return None if is_late else "could be sent"
        if self.cluster.can_land(transaction, former.last_valid_height):
            return "could land"
        return None

    def note_told(self, signature: Signature, *, is_known: bool) -> None:
        """Take down what a node just said of a signature."""
        if is_known:
            self._told_absent.discard(signature)
        else:
            self._told_absent.add(signature)

    def note_sent(self, signature: Signature) -> None:
        """Look at bytes that reached a node."""
        if signature not in self._known:
            self.note(f"{signature} was sent before it was recorded")

    def after_block(self) -> None:
        """Count what took effect on the current fork."""
        times = Counter(
            effect
            for signature in self.cluster.done()
            if signature in self._known
            for effect in self._known[signature].effects
        )
        for effect, count in times.items():
            if count > 1:
                self.note(f"{effect} took effect {count} times")

    @property
    def effects(self) -> int:
        """How many planned effects the chain has."""
        done = (self._known.get(signature) for signature in self.cluster.done())
        return sum(len(known.effects) for known in done if known is not None)

    def judge(
        self,
        signature: str,
        state: str,
        slot: int | None,
        err: str | None,
        is_finalized: int,
        last_valid_height: int,
        *,
        finalized_height: int,
    ) -> None:
        """Hold one recorded end against the chain, once nothing more can happen."""
        key = Signature.from_string(signature)
        is_there = self.cluster.is_on_chain(key)
        found = self.cluster.error_of(key) if is_there else None
        if state == "open":
            self.note(f"{signature} was left open")
        elif state == "expired":
            if is_there:
                self.note(f"{signature} is recorded as expired, and is on chain")
            elif last_valid_height >= finalized_height:
                self.note(f"{signature} is recorded as expired before its time")
        elif not is_there:
            self.note(f"{signature} is recorded as {state}, and is not on chain")
        elif (state == "landed") != (found is None):
            self.note(f"{signature} is recorded as {state}, on chain with {found}")
        elif state == "failed" and err != err_text(found):
            self.note(f"{signature} is recorded with {err}, on chain with {found}")
        elif is_finalized and slot != self.cluster.slot_of(key):
            self.note(f"{signature} is recorded in slot {slot}, on chain in another")

    def note(self, sentence: str) -> None:
        """Take down what must not be."""
        if sentence not in self.broken:
            self.broken.append(sentence)
            self.trace.note("BROKEN", sentence)


def _failed(db: Database) -> frozenset[str]:
    rows = db.conn.execute("SELECT signature FROM attempt WHERE state = 'failed'")
    return frozenset(signature for (signature,) in rows)
