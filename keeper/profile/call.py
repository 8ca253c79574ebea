"""What a case yields: one transaction that must land, and is measured."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.keypair import Keypair

from keeper.profile.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One measurement."""

    world: World
    instruction: Instruction
    signers: Sequence[Keypair]
    case: str
    """What is special about it, in a few words."""


Cases = Callable[[bytes], Iterator[Call]]
"""From the program's bytes, calls without end: each has landed when the next is asked for. Worst cases come first."""
