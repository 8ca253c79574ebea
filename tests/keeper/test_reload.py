"""keeper/reload.py: what SIGHUP changes, on a virtual clock. On a real process: tests/pipeline/test_operating.py."""

from dataclasses import replace
from pathlib import Path

import trio
import trio.testing
from scripted import PROGRAM
from structlog.testing import capture_logs

from keeper.cluster_config import ClusterConfig
from keeper.config import Config, KeysConfig, StateConfig, load_config
from keeper.errors import ConfigError
from keeper.interrupt import Orders
from keeper.reload import Settings, plan_reload, reread_settings
from keeper.sandbox.config import SandboxConfig

CONFIG = Config(
    cluster=ClusterConfig(rpc_urls=("http://one",), program_id=PROGRAM),
    keys=KeysConfig(keeper=Path("key")),
    state=StateConfig(folder=Path()),
    sandbox=SandboxConfig(enabled=False),
)
CHANGED = replace(
    CONFIG,
    cluster=replace(CONFIG.cluster, rpc_urls=("http://other",)),
    landing=replace(CONFIG.landing, drain_s=7, resend_interval_slots=2, blockhash_interval_slots=9),
    lanes=replace(
        CONFIG.lanes,
        prices=replace(CONFIG.lanes.prices, key=Path("own"), concurrency=1),
    ),
    posting=replace(CONFIG.posting, change_e6=9_999),
)


def test_a_setting_that_follows_from_another_is_not_named_beside_it(tmp_path):
    """There is no key polymarket.slot_ms that an operator could look for."""
    least = '[cluster]\nrpc_urls = ["http://one"]\nprogram_id = "%s"\nslot_ms = %d\n[keys]\nkeeper = "k"\n[state]\nfolder = "s"\n'
    read = []
    for slot_ms in (400, 200):
        file = tmp_path / "keeper.toml"
        file.write_text(least % (PROGRAM, slot_ms))
        read.append(load_config(file))
    assert ("cluster.slot_ms",) == tuple(plan_reload(*read).needs_restart)


def test_what_is_safe_is_taken_over_and_the_rest_is_named():
    plan = plan_reload(CONFIG, CHANGED)

    assert {
        "posting.change_e6",
        "lanes.prices.concurrency",
        "landing.drain_s",
        "landing.resend_interval_slots",
    } == set(plan.applied)
    assert {
        "cluster.rpc_urls",
        "landing.blockhash_interval_slots",
        "lanes.prices.key",
    } == set(plan.needs_restart)
    assert 7 == plan.in_file.landing.drain_s
    assert ("http://one",) == plan.in_file.cluster.rpc_urls


def test_the_same_file_changes_nothing():
    plan = plan_reload(CONFIG, CONFIG)
    assert (CONFIG, (), ()) == (plan.in_file, plan.applied, plan.needs_restart)


async def reread_each(files):
    """Order one rereading for each file; return what was applied, what is in effect, and the log."""
    orders, applied, waiting = Orders(), [], list(files)
    inside = replace(CONFIG, cluster=replace(CONFIG.cluster, rpc_urls=("http://sandbox",)))
    settings = Settings(inside, CONFIG)

    def reread():
        found = waiting.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reread_settings, orders, settings, reread, applied.append)
            for _ in files:
                await trio.testing.wait_all_tasks_blocked()
                orders.rereads.publish("SIGHUP")
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    return applied, settings, logs


async def test_a_reread_file_takes_effect_as_a_whole_and_leaves_the_sandbox_where_it_is():
    (applied,), settings, logs = await reread_each([CHANGED])

    assert applied is settings.now
    assert (9_999, 7) == (settings.now.posting.change_e6, settings.now.landing.drain_s)
    assert ("http://sandbox",) == settings.now.cluster.rpc_urls
    assert ["settings.reread", "settings.need_restart"] == [line["event"] for line in logs]


async def test_a_broken_file_changes_nothing_and_says_why_and_a_mended_one_is_read_again():
    broken = ConfigError("keeper.toml has 1 mistake:\n  landing.drain_s: 0, expected 1 or more")
    applied, settings, logs = await reread_each([broken, CHANGED])

    assert "landing.drain_s: 0" in logs[0]["reason"]
    assert 1 == len(applied)
    assert 7 == settings.now.landing.drain_s


async def test_what_needs_a_restart_is_named_again_until_it_had_one():
    _, _, logs = await reread_each([CHANGED, CHANGED])
    named = [line["keys"] for line in logs if line["event"] == "settings.need_restart"]
    assert 2 == len(named)
    assert named[0] == named[1]
