"""A small platform as the real program leaves it, and a minute later."""

import pytest

from bench._snapshot_world import States, make_states
from keeper.saved.accounts import Accounts, take_accounts
from state.snapshots.piece import Origin

MARKETS, WALLETS = 14, 24


@pytest.fixture(scope="session")
def states() -> States:
    return make_states(MARKETS, WALLETS, next_rounds_percent=30)


@pytest.fixture(scope="session")
def first(states: States) -> Accounts:
    return take_accounts(states.first)


@pytest.fixture(scope="session")
def following(states: States) -> Accounts:
    return take_accounts(states.following)


@pytest.fixture
def origin(states: States) -> Origin:
    return Origin(genesis_hash=states.genesis_hash, program=states.program, slot=states.slots[0])
