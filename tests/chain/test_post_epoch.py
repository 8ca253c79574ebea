"""post_epoch: roots within what the season has emitted, each with a bitmap of its own."""

import pytest
from harness import RuntimeRefusalError, keypair, refused, second_address
from reward_desk import RewardDesk
from solders.instruction import AccountMeta, Instruction

from incentives.emission import emitted_by
from programs import addresses, instructions
from programs.event_layout import REWARDS_SERIES, VAULT_SERIES
from programs.genesis import SEASON_SLOTS, TREASURY_MMT
from programs.layout import epoch_bytes

EPOCH_SLOTS = 9_000
ROOT = bytes(range(32))


@pytest.fixture
def desk(platform):
    return RewardDesk(platform)


def terms(**changes):
    return {"epoch": 0, "index": 0, "root": ROOT, "leaf_count": 1, "total": 1} | changes


def emitted(platform):
    return emitted_by(platform.slot, platform.global_().season_start_slot)


def test_a_root_is_written_as_posted(desk, platform):
    platform.warp(EPOCH_SLOTS)
    receipt = desk.post_terms(epoch=1, index=7, root=ROOT, leaf_count=65, total=12_345)
    address = addresses.epoch_address(platform.program, 1, 7)[0]
    data = platform.data(address)
    assert len(data) == epoch_bytes(65) == 104 + 16
    (event,) = receipt.events
    assert event.fields == {
        "epoch": 1,
        "index": 7,
        "leaf_count": 65,
        "total": 12_345,
        "root": event.address("root"),
        "account": address,
        "posted_mmt": 12_345,
        "emitted_mmt": emitted(platform),
    }
    assert bytes(event.address("root")) == ROOT
    assert event.series == REWARDS_SERIES < VAULT_SERIES
    assert data[104:] == bytes(16)


def test_only_the_incentives_authority_posts(desk, platform):
    platform.warp(10)
    instruction = instructions.post_epoch(platform.program, platform.user().address, **terms())
    with refused("WRONG_AUTHORITY"):
        platform.send(instruction, [platform.users[0].key])


@pytest.mark.parametrize(
    "changes", [{"leaf_count": 0}, {"leaf_count": 65_537}, {"leaf_count": 2**32 - 1}, {"total": 0}]
)
def test_a_root_without_leaves_or_money_or_with_too_many_is_refused(desk, platform, changes):
    platform.warp(10)
    with refused("BAD_EPOCH"):
        desk.post_terms(**terms(**changes))


@pytest.mark.parametrize("epoch", [0, 1, 3, 10_000])
def test_an_epoch_is_posted_once_it_has_begun(desk, platform, epoch):
    start = platform.global_().season_start_slot
    platform.warp(1)
    if epoch:
        platform.svm.warp_to_slot(start + epoch * EPOCH_SLOTS - 1)
        with refused("BAD_EPOCH"):
            desk.post_terms(**terms(epoch=epoch))
        platform.warp(1)
    desk.post_terms(**terms(epoch=epoch))


@pytest.mark.parametrize("epoch", [2**63, 2**64 - 1, 2**64 // EPOCH_SLOTS + 1])
def test_an_epoch_whose_slot_would_overflow_has_not_begun(desk, platform, epoch):
    platform.warp(10)
    with refused("BAD_EPOCH"):
        desk.post_terms(**terms(epoch=epoch))


def test_no_more_is_posted_than_the_season_has_emitted(desk, platform):
    with refused("EMISSION_EXCEEDED"):
        desk.post_terms(**terms())  # the season starts with this slot: nothing is emitted yet
    platform.warp(EPOCH_SLOTS)
    most = emitted(platform)
    with refused("EMISSION_EXCEEDED"):
        desk.post_terms(**terms(total=most + 1))
    desk.post_terms(**terms(total=most - 10))
    with refused("EMISSION_EXCEEDED"):
        desk.post_terms(**terms(index=1, total=11))
    desk.post_terms(**terms(epoch=1, total=4))
    desk.post_terms(**terms(index=1, total=6))
    with refused("EMISSION_EXCEEDED"):
        desk.post_terms(**terms(index=2))
    platform.warp(1)
    desk.post_terms(**terms(index=2, total=emitted(platform) - most))
    with refused("EMISSION_EXCEEDED"):
        desk.post_terms(**terms(epoch=1, index=1))


def test_a_total_that_overflows_the_sum_is_refused(desk, platform):
    platform.warp(EPOCH_SLOTS)
    desk.post_terms(**terms(total=100))
    for total in (2**64 - 1, 2**64 - 100, 2**64 - 99):
        with refused("EMISSION_EXCEEDED"):
            desk.post_terms(**terms(index=1, total=total))


def test_after_the_season_the_rest_is_still_posted_and_nothing_more(desk, platform):
    platform.warp(SEASON_SLOTS + 3 * EPOCH_SLOTS)
    desk.post_terms(**terms(epoch=4_319, total=TREASURY_MMT - 5))
    with refused("EMISSION_EXCEEDED"):
        desk.post_terms(**terms(epoch=4_323, total=6))
    desk.post_terms(**terms(epoch=4_323, total=5))
    platform.warp(SEASON_SLOTS)
    with refused("EMISSION_EXCEEDED"):
        desk.post_terms(**terms(epoch=4_324))


def test_a_root_is_posted_once(desk, platform):
    platform.warp(10)
    desk.post_terms(**terms())
    with refused("ALREADY_INITIALIZED"):
        desk.post_terms(**terms(root=bytes(32)))


def test_a_second_bitmap_under_another_bump_is_refused(desk, platform):
    platform.warp(10)
    desk.post_terms(**terms())
    second, bump = second_address(
        platform.program, b"epoch", (0).to_bytes(8, "little"), (0).to_bytes(4, "little")
    )
    good = instructions.post_epoch(platform.program, platform.admin.pubkey(), **terms())
    accounts = list(good.accounts)
    accounts[2] = AccountMeta(second, is_signer=False, is_writable=True)
    data = bytes([good.data[0], bump]) + good.data[2:]
    with refused("WRONG_ADDRESS"):
        platform.send(Instruction(platform.program, data, accounts), [platform.admin])


def test_an_epoch_has_many_roots_and_each_its_own_number(desk, platform):
    platform.warp(2 * EPOCH_SLOTS)
    for number, (epoch, index) in enumerate([(0, 0), (0, 1), (2, 0), (0, 2**32 - 1), (1, 5)]):
        (event,) = desk.post_terms(**terms(epoch=epoch, index=index)).events
        assert (event.series, event.sequence) == (REWARDS_SERIES + number, 1)


def test_the_authority_pays_the_rent_of_a_bit_per_leaf(desk, platform):
    platform.warp(10)
    admin = platform.admin.pubkey()
    before = platform.svm.get_balance(admin)
    desk.post_terms(**terms(leaf_count=65_536))
    address = addresses.epoch_address(platform.program, 0, 0)[0]
    rent = platform.svm.minimum_balance_for_rent_exemption(104 + 8_192)
    assert len(platform.data(address)) == 104 + 8_192
    assert platform.svm.get_balance(address) == rent
    assert before - platform.svm.get_balance(admin) == rent + 5_000


def test_lamports_sent_to_the_address_beforehand_block_nothing(desk, platform):
    platform.warp(10)
    user = platform.user()
    address = addresses.epoch_address(platform.program, 0, 0)[0]
    platform.send(platform.pay(user, address, 2_000_000), [user.key])
    desk.post_terms(**terms(leaf_count=65_536))
    assert platform.exists(address)


def test_a_wallet_in_the_place_of_the_new_account_is_refused(desk, platform):
    platform.warp(10)
    good = instructions.post_epoch(platform.program, platform.admin.pubkey(), **terms())
    for key in (platform.admin.pubkey(), keypair("thief").pubkey()):
        accounts = list(good.accounts)
        accounts[2] = AccountMeta(key, is_signer=False, is_writable=True)
        with refused("WRONG_ADDRESS"):
            platform.send(Instruction(platform.program, good.data, accounts), [platform.admin])


def test_a_poor_authority_cannot_post(desk, platform):
    platform.warp(10)
    admin, user = platform.admin, platform.user()
    left = platform.svm.get_balance(admin.pubkey()) - 30_000_000
    drain = platform.pay(user, user.address, 0)
    drain = Instruction(
        drain.program_id, drain.data[:4] + left.to_bytes(8, "little"), drain.accounts
    )
    accounts = [
        AccountMeta(admin.pubkey(), is_signer=True, is_writable=True),
        AccountMeta(user.address, is_signer=False, is_writable=True),
    ]
    platform.send(Instruction(drain.program_id, drain.data, accounts), [admin])
    with pytest.raises(RuntimeRefusalError):
        desk.post_terms(**terms(leaf_count=65_536))
