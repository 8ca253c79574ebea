import pytest
from harness import USD, Platform


@pytest.fixture
def platform():
    """Genesis done, nothing else."""
    platform = Platform()
    platform.initialize()
    return platform


@pytest.fixture
def market(platform):
    """A binary market at 0.5 with $1M of liquidity and a fresh valid price; users[0] is its maker."""
    market = platform.create_market("m", 500_000)
    platform.post(market, 500_000)
    platform.add_liquidity(platform.user(10_000_000), market, 1_000_000 * USD)
    return market


@pytest.fixture
def staked(platform, market):
    """The same market beside a vault of $1M."""
    platform.stake(platform.user(10_000_000), 1_000_000 * USD)
    return market
