import hashlib
import struct
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state.snapshots.errors import SumsTooLarge
from state.snapshots.sum_tree import (
    Nodes,
    Path,
    Top,
    blocks_of,
    climb,
    depth_of,
    leaf_node,
    path_of,
    top_of,
)

Leaf = tuple[bytes, tuple[int, ...]]
CALMLY = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def some(seed: int, count: int) -> list[Leaf]:
    draws = Random(seed)
    return [
        (draws.randbytes(draws.randrange(33, 40)), tuple(draws.randrange(2**40) for _ in range(3)))
        for _ in range(count)
    ]


LEAVES = st.builds(some, st.integers(0, 10**6), st.integers(1, 40))


def tree(leaves: list[Leaf]) -> Top:
    return top_of(levels(leaves), len(leaves))


def levels(leaves: list[Leaf]) -> Iterator[Nodes]:
    return blocks_of([data for data, _ in leaves], sums(leaves))


def sums(leaves: list[Leaf]) -> np.ndarray:
    return np.array([amounts for _, amounts in leaves], np.uint64)


def by_the_book(leaves: list[Leaf]) -> tuple[bytes, tuple[int, ...]]:
    """The same tree as the docstring has it, without numpy."""
    level = []
    for data, amounts in leaves:
        packed = struct.pack("<3Q", *amounts)
        level.append((hashlib.sha256(b"\0betting account" + packed + data).digest(), amounts))
    level += [(bytes(32), (0, 0, 0))] * ((1 << depth_of(len(leaves))) - len(leaves))
    while len(level) > 1:
        level = [
            (
                hashlib.sha256(
                    b"\1" + b"".join(h + struct.pack("<3Q", *a) for h, a in level[at : at + 2])
                ).digest(),
                tuple(map(sum, zip(level[at][1], level[at + 1][1], strict=True))),
            )
            for at in range(0, len(level), 2)
        ]
    return level[0]


@CALMLY
@given(LEAVES)
def test_the_tree_is_the_one_of_its_description(leaves: list[Leaf]) -> None:
    top = tree(leaves)
    assert (top.hash, top.sums) == by_the_book(leaves)


@CALMLY
@given(LEAVES, st.data())
def test_every_leaf_is_proved_to_be_in_it_with_its_sums(
    leaves: list[Leaf], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    top, path = path_of(levels(leaves), len(leaves), index)
    content, amounts = leaves[index]
    node = leaf_node(content[:32], content[32:], amounts)
    assert climb(node, path) == (top.hash, top.sums)
    assert len(path.siblings) == depth_of(len(leaves))
    smaller = leaf_node(content[:32], content[32:], (amounts[0] + 1, *amounts[1:]))
    assert climb(smaller, path) != (top.hash, top.sums)


@pytest.mark.parametrize("depth", [1, 2, 3, 15])
def test_a_tree_larger_than_a_block_has_the_same_top(depth: int) -> None:
    leaves: list[Leaf] = [(bytes([number]) * 40, (number, 2 * number, 1)) for number in range(13)]
    expected = by_the_book(leaves)
    listed = [data for data, _ in leaves]
    for index in range(13):
        blocks = blocks_of(listed, sums(leaves), depth)
        top, path = path_of(blocks, 13, index, depth)
        content, amounts = leaves[index]
        assert (top.hash, top.sums) == expected
        node = leaf_node(content[:32], content[32:], amounts)
        assert climb(node, path) == expected


def test_a_sum_that_wraps_around_is_refused_by_writer_and_checker() -> None:
    leaves = [(bytes(40), (2**64 - 1, 0, 0)), (b"\1" * 40, (1, 0, 0))]
    with pytest.raises(SumsTooLarge, match="vault_debt is 18446744073709551616"):
        tree(leaves)
    nodes = [leaf_node(data[:32], data[32:], amounts) for data, amounts in leaves]
    assert climb(nodes[0], Path(index=0, siblings=(nodes[1],))) is None


def test_sums_cannot_be_moved_between_children() -> None:
    """Only the children's own sums make a node: the total alone would let one side lend to the other."""
    one, two = leaf_node(bytes(32), b"a", (10, 0, 0)), leaf_node(bytes(32), b"b", (0, 0, 0))
    shifted_one = one[:32] + struct.pack("<3Q", 4, 0, 0)
    shifted_two = two[:32] + struct.pack("<3Q", 6, 0, 0)
    honest = climb(one, Path(index=0, siblings=(two,)))
    forged = climb(shifted_one, Path(index=0, siblings=(shifted_two,)))
    assert honest is not None
    assert forged is not None
    assert honest[1] == forged[1]
    assert honest[0] != forged[0]


def test_the_root_says_of_which_platform_and_how_many_accounts_it_is() -> None:
    top = tree([(bytes(40), (1, 2, 3))])
    fewer = Top(hash=top.hash, sums=top.sums, leaves=2)
    roots = {top.root(b"one"), top.root(b"other"), fewer.root(b"one")}
    assert len(roots) == 3


def test_there_is_no_path_for_a_leaf_that_is_not_there() -> None:
    with pytest.raises(IndexError, match="found leaf 1, expected 0 to 0"):
        path_of(levels([(bytes(40), (0, 0, 0))]), 1, 1)
