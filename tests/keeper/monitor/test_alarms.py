"""The bell whole: judged, written down, told; nothing waits for a sink, and no restart forgets or repeats anything."""

import json
import stat
import sys
from contextlib import asynccontextmanager

import pytest
import trio
from causes import CAUSES, told, view_of
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio import serve
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from keeper.monitor.alarms import open_alarms
from keeper.monitor.alert_store import FILE_NAME, QUEUED_MAX, AlertStore
from keeper.monitor.alerts import Engine, Notice, NoticeKind
from keeper.monitor.level import Level
from keeper.monitor.rules import rules_for
from keeper.monitor.sink_config import SinkConfig, SinkSecretError, read_secret, titled
from state import metrics as m
from state.sample import Figures

HANG_S = 30


def figures(name=None):
    *_rest, newest = told(3, CAUSES.get(name), lambda _second: True)
    return newest


CHANGED, WELL = figures("platform_changed"), figures()


class Hook:
    """An HTTP server that keeps what it was posted, and answers as it is told to."""

    def __init__(self):
        self.bodies = []
        self.status = 200
        self.hangs = False

    async def take(self, request):
        body = json.loads(await request.body())
        if self.hangs:
            await trio.sleep_forever()
        if self.status < 300:
            self.bodies.append(body)
        return Response(status_code=self.status)

    @property
    def kinds(self):
        return [body["kind"] for body in self.bodies]


@asynccontextmanager
async def listening():
    hook = Hook()
    app = Starlette(routes=[Route("/{path:path}", hook.take, methods=["POST"])])
    settings = HypercornConfig()
    settings.bind = ["127.0.0.1:0"]
    settings.graceful_timeout = 0
    async with trio.open_nursery() as nursery:
        (url,) = await nursery.start(serve, app, settings)
        hook.url = url
        yield hook
        nursery.cancel_scope.cancel()


def hooked(hook, **more):
    return SinkConfig(kind="webhook", url=f"{hook.url}/hook", **more)


async def until(holds):
    with trio.fail_after(HANG_S):
        while not holds():  # noqa: ASYNC110 - what is counted tells nobody that it was
            await trio.sleep(0.01)


async def delivered(alarms):
    with trio.fail_after(HANG_S):
        await alarms.wait_delivered()


async def test_an_alert_is_told_when_it_begins_when_it_is_taken_and_when_it_is_over(tmp_path):
    async with (
        listening() as hook,
        open_alarms([hooked(hook)], tmp_path, 0.4) as alarms,
    ):
        await alarms.take(view_of(CHANGED, 0.0))
        (alert,) = alarms.firing
        assert AlertStore(tmp_path / FILE_NAME).acknowledge(alert.fingerprint, "anna")
        await alarms.take(view_of(CHANGED, 1.0))
        await alarms.take(view_of(WELL, 2.0))
        await delivered(alarms)
        assert hook.kinds == ["fired", "acknowledged", "resolved"]
        assert hook.bodies[1]["acknowledged_by"] == "anna"
        assert alarms.firing == ()


async def test_a_restart_repeats_nothing_and_forgets_nothing(tmp_path):
    async with listening() as hook:
        hook.status = 503
        async with open_alarms([hooked(hook)], tmp_path, 0.4) as alarms:
            await alarms.take(view_of(CHANGED, 0.0))
        hook.status = 200
        async with open_alarms([hooked(hook)], tmp_path, 0.4) as alarms:
            (alert,) = alarms.firing
            await alarms.take(view_of(CHANGED, 5.0))
            await delivered(alarms)
            assert hook.kinds == ["fired"]
        async with open_alarms([hooked(hook)], tmp_path, 0.4) as alarms:
            await alarms.take(view_of(WELL, 9.0))  # it was over while nobody looked
            await delivered(alarms)
    assert hook.kinds == ["fired", "resolved"]
    assert {body["id"] for body in hook.bodies} == {alert.fingerprint}
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


async def test_a_sink_that_hangs_holds_up_neither_judging_nor_the_others(tmp_path):
    async with listening() as hanging, listening() as well:
        hanging.hangs = True
        sinks = [hooked(hanging, name="hanging", deadline_s=20.0), hooked(well, name="well")]
        async with open_alarms(sinks, tmp_path, 0.4) as alarms:
            await alarms.take(view_of(CHANGED, 0.0))
            await alarms.take(view_of(WELL, 1.0))
            await until(lambda: len(well.bodies) == 2)
            found = Figures()
            alarms.put(found)
            assert found.values[m.SINK_QUEUED.name, ("hanging",)] == 2
            assert found.values[m.SINK_FAILURES.name, ("hanging",)] == 0
            assert found.values[m.ALERTS_FIRING.name, ("emergency",)] == 0


async def test_a_notice_that_is_refused_for_good_stops_no_other(tmp_path):
    async with listening() as hook:
        hook.status = 422
        with capture_logs() as logs:
            async with open_alarms([hooked(hook)], tmp_path, 0.4) as alarms:
                await alarms.take(view_of(CHANGED, 0.0))
                await delivered(alarms)
                hook.status = 200
                await alarms.take(view_of(WELL, 1.0))
                await delivered(alarms)
        assert hook.kinds == ["resolved"]
    (failed,) = [line for line in logs if line["event"] == "sink.failed"]
    assert (failed["words"], failed["is_for_good"]) == ("answered 422", True)
    states = [past.deliveries for past in AlertStore(tmp_path / FILE_NAME).history(9)]
    assert states == [(("webhook", "delivered", ""),), (("webhook", "given_up", "answered 422"),)]


async def test_a_sink_below_whose_level_an_alert_is_hears_nothing_of_it(tmp_path):
    async with (
        listening() as hook,
        open_alarms([hooked(hook, level_min=Level.CRITICAL)], tmp_path, 0.4) as alarms,
    ):
        await alarms.take(view_of(figures("platform_halted"), 0.0))
        await delivered(alarms)
        assert [alert.rule for alert in alarms.firing] == ["platform_halted"]
        assert hook.bodies == []


async def test_a_command_reads_one_line_of_json_and_its_failure_is_told(tmp_path):
    code = f"import sys; open({str(tmp_path / 'told')!r}, 'a').write(sys.stdin.read())"
    well = SinkConfig(kind="command", command=(sys.executable, "-c", code), name="well")
    fails = SinkConfig(kind="command", command=("/bin/false",), name="fails")
    missing = SinkConfig(kind="command", command=("/no/such/program",), name="missing")
    hangs = SinkConfig(kind="command", command=("/bin/sleep", "100"), name="hangs", deadline_s=0.1)
    with capture_logs() as logs:
        async with open_alarms([well, fails, missing, hangs], tmp_path, 0.4) as alarms:
            await alarms.take(view_of(CHANGED, 0.0))
            await until(
                lambda: not (len(alarms.errands.failures) < 3 or alarms.errands.waiting["well"])
            )
    (line,) = (tmp_path / "told").read_text().splitlines()
    assert json.loads(line)["rule"] == "platform_changed"
    words = {log["sink"]: log["words"] for log in logs if log["event"] == "sink.failed"}
    assert words["fails"] == "/bin/false ended with 1"
    assert words["missing"] == "/no/such/program cannot be started: No such file or directory"
    assert words["hangs"] == "not done after 0.1 s"


async def test_without_a_sink_the_log_has_the_alert(tmp_path):
    with capture_logs() as logs:
        async with open_alarms([], tmp_path, 0.4) as alarms:
            await alarms.take(view_of(CHANGED, 0.0))
            await delivered(alarms)
    (line,) = [each for each in logs if each["event"] == "alert.told"]
    assert (line["log_level"], line["level"], line["rule"]) == (
        "error",
        "emergency",
        "platform_changed",
    )


def test_a_queue_is_bounded_and_says_what_it_gave_up(tmp_path):
    store = AlertStore(tmp_path / FILE_NAME)
    store.open(["hook"])
    alert = alert_of("platform_changed")
    notices = [notice_of(alert, NoticeKind.REMINDED)] * (QUEUED_MAX + 3)
    added, given_up = store.record(notices, lambda _notice: ["hook"])
    assert (added["hook"], given_up["hook"]) == (QUEUED_MAX + 3, 3)
    assert store.waiting() == {"hook": QUEUED_MAX}
    store.open(["another"])
    assert store.waiting() == {}


def test_two_processes_may_write_at_once_and_an_acknowledgement_is_not_lost(tmp_path):
    store = AlertStore(tmp_path / FILE_NAME)
    store.open(["hook"])
    alert = alert_of("platform_changed")
    store.record([notice_of(alert, NoticeKind.FIRED)], lambda _notice: [])
    assert AlertStore(store.path).acknowledge(alert.fingerprint, "anna")
    store.record([notice_of(alert, NoticeKind.REMINDED)], lambda _notice: [])
    assert store.acknowledgements() == {alert.fingerprint: "anna"}
    assert not store.acknowledge("0123456789", "anna")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "webhook"}, "expected url, or url_file"),
        ({"kind": "webhook", "url": "ftp://x"}, "url is no http or https address"),
        ({"kind": "command"}, "command is empty"),
        ({"kind": "log", "shape": "slack"}, "which only a webhook has"),
        ({"kind": "log", "deadline_s": 0}, "deadline_s is 0"),
        ({"kind": "webhook", "shape": "pagerduty"}, "routing_key_file goes with"),
        ({"kind": "log", "level_min": "loud"}, "'info', 'warning', 'critical' or 'emergency'"),
        ({"kind": "pager"}, "'log', 'webhook', 'alertmanager' or 'command'"),
    ],
)
def test_a_table_that_could_tell_nobody_is_refused_in_one_sentence(table, words):
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(SinkConfig).validate_json(json.dumps(table), strict=True, extra="forbid")


def test_sinks_of_the_same_name_are_numbered():
    sinks = titled((SinkConfig(kind="log"), SinkConfig(kind="log"), SinkConfig(kind="log")))
    assert [sink.title for sink in sinks] == ["log", "log-2", "log-3"]


def test_a_secret_that_others_can_read_is_not_used(tmp_path):
    file = tmp_path / "hook"
    with pytest.raises(SinkSecretError, match="does not exist"):
        read_secret(file)
    file.write_text("https://hooks.example/x\n")
    file.chmod(0o644)
    with pytest.raises(SinkSecretError, match="chmod 600"):
        read_secret(file)
    file.chmod(0o600)
    assert read_secret(file) == "https://hooks.example/x"
    file.write_text("two words")
    with pytest.raises(SinkSecretError, match="more than one word"):
        read_secret(file)


async def test_no_error_of_a_sink_says_its_address(tmp_path):
    file = tmp_path / "hook"
    file.write_text("http://127.0.0.1:1/services/SECRET")
    file.chmod(0o600)
    with capture_logs() as logs:
        sink = SinkConfig(kind="webhook", url_file=file)
        async with open_alarms([sink], tmp_path, 0.4) as alarms:
            await alarms.take(view_of(CHANGED, 0.0))
            await until(lambda: alarms.errands.failures)
    assert "SECRET" not in str(logs)
    assert "no answer: ConnectError" in str(logs)


def alert_of(name):
    engine = Engine(rules_for(0.4))
    engine.take(view_of(figures(name), 0.0))
    return engine.firing[0]


def notice_of(alert, kind):
    return Notice(kind=kind, alert=alert, wall_s=alert.since_wall_s)
