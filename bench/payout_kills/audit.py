"""The audit: every leaf against every payment that the chain finalized. It asks neither the keeper nor its database.

Core.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

Leaf = tuple[int, int, int]
"""Epoch and index of its root, and its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One record of a finalized REWARDS_PAID event."""

    leaf: Leaf
    wallet: str
    amount: int
    signature: str
    is_ours: bool
    """Of the keeper; else a wallet claimed it for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What was owed, and what the chain did."""

    owed: Mapping[Leaf, tuple[str, int]]
    """Wallet and amount."""
    unpayable: frozenset[str]
    """Wallets that never have a token account."""
    roots: Mapping[tuple[int, int], str]
    """What belongs at each place, hex."""
    posted: tuple[tuple[tuple[int, int], str], ...]
    """Place and root of each finalized EPOCH_POSTED event."""
    payments: tuple[Payment, ...]
    balances: Mapping[str, int]
    """MMT of each wallet at the end, which began with none."""
    treasury_spent: int


def violations(books: Books) -> Iterator[str]:
    """Yield whatever must not be, as a kind and a sentence."""
    yield from _of_roots(books)
    yield from _of_leaves(books)
    yield from _of_balances(books)


def _of_roots(books: Books) -> Iterator[str]:
    posted = Counter(place for place, _ in books.posted)
    for place, root in books.roots.items():
        if posted[place] != 1:
            yield f"posts: root {place} was posted {posted[place]} times"
        if (place, root) not in books.posted:
            yield f"root: at {place} stands another root than {root}"


def _of_leaves(books: Books) -> Iterator[str]:
    by_leaf: defaultdict[Leaf, list[Payment]] = defaultdict(list)
    for payment in books.payments:
        by_leaf[payment.leaf].append(payment)
    for leaf, owed in books.owed.items():
        paid = by_leaf.pop(leaf, [])
        if len(paid) > 1:
            yield f"twice: leaf {leaf} was paid by {', '.join(each.signature for each in paid)}"
        if not paid and owed[0] not in books.unpayable:
            yield f"unpaid: leaf {leaf} of {owed[0]}"
        yield from (
            f"wrong: leaf {leaf} paid {each.amount} to {each.wallet}, owed {owed[1]} to {owed[0]}"
            for each in paid
            if (each.wallet, each.amount) != owed
        )
    for leaf, paid in by_leaf.items():
        yield f"invented: leaf {leaf} was paid {len(paid)} times and is owed to nobody"


def _of_balances(books: Books) -> Iterator[str]:
    received: Counter[str] = Counter()
    for payment in books.payments:
        received[payment.wallet] += payment.amount
    for wallet in received.keys() | books.balances.keys():
        if received[wallet] != books.balances.get(wallet, 0):
            yield f"balance: {wallet} has {books.balances.get(wallet, 0)}, was paid {received[wallet]}"
    if (total := sum(received.values())) != books.treasury_spent:
        yield f"treasury: it lost {books.treasury_spent}, payments come to {total}"


def blind_spots(books: Books) -> list[str]:
    """Return which spoiled copies of the books the audit takes for clean; at least two payments are needed."""
    return [kind for kind, copy in _spoiled(books) if not _sees(kind, copy)]


def _sees(kind: str, books: Books) -> bool:
    return any(each.startswith(f"{kind}:") for each in violations(books))


def _spoiled(books: Books) -> Iterator[tuple[str, Books]]:
    first, second, *_ = books.payments
    rest = books.payments[1:]
    yield "twice", replace(books, payments=(*books.payments, replace(first, signature="again")))
    yield "unpaid", replace(books, payments=rest)
    yield "wrong", replace(books, payments=(replace(first, amount=first.amount + 1), *rest))
    yield "wrong", replace(books, payments=(replace(first, wallet=second.wallet + "x"), *rest))
    beyond = replace(first, leaf=(*first.leaf[:2], 1 << 16))
    yield "invented", replace(books, payments=(*books.payments, beyond))
    richer = dict(books.balances) | {first.wallet: books.balances[first.wallet] + 1}
    yield "balance", replace(books, balances=richer)
    yield "treasury", replace(books, treasury_spent=books.treasury_spent + 1)
    yield "posts", replace(books, posted=(*books.posted, books.posted[0]))
    yield "root", replace(books, posted=((books.posted[0][0], "ff" * 32), *books.posted[1:]))
