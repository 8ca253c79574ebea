"""An immutable program outlives today's feature gates: it runs under mainnet's and under all that are written."""

import pytest
from harness import USD, Platform
from solders.litesvm import FeatureSet, LiteSVM

from programs.accounts import Side


def under(features: FeatureSet) -> LiteSVM:
    # Programs are loaded after the features that say how their memory is laid out.
    bare = LiteSVM.default().with_feature_set(features).with_builtins().with_sysvars()
    return bare.with_lamports(10**18).with_default_programs().with_sigverify(sigverify=True)


@pytest.mark.parametrize("features", [LiteSVM.mainnet_feature_set, FeatureSet.all_enabled])
def test_every_instruction_lands(features):
    platform = Platform(svm=under(features()))
    platform.initialize()
    market = platform.create_market("m", 500_000)
    platform.post(market, 500_000)
    maker, user = platform.user(10_000_000), platform.user()
    platform.add_liquidity(maker, market, 1_000_000 * USD)
    platform.stake(maker, 1_000_000 * USD)
    lent, _ = platform.open(user, market, 100 * USD, leverage=10)
    funded = platform.position_address(user, market, user.next_position_id)
    platform.svm.airdrop(funded, 10**6)
    spot, _ = platform.open(user, market, 100 * USD, side=Side.NO)
    platform.close(user, market, spot)
    platform.move_oracle(market, 440_000)
    platform.liquidate(user, market, [platform.position_address(user, market, lent)])
    platform.close(user, market, lent)
    assert platform.vault().loans == 0
