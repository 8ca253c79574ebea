import trio
from structlog.testing import capture_logs

from programs.outage import Outage


async def test_an_outage_is_told_ever_more_rarely_and_its_end_with_its_length(autojump_clock):
    outage = Outage(subject="scan")
    with capture_logs() as logs:
        outage.note_success()
        for _ in range(100):
            outage.note_failure("refused")
            await trio.sleep(1)
        outage.note_success()
        outage.note_success()
        outage.note_failure("refused again")

    assert [1, 2, 4, 8, 16, 32, 64] == [
        line["in_a_row"] for line in logs[:-2] if line["event"] == "scan.unread"
    ]
    assert logs[-2]["event"] == "scan.recovered"
    assert (logs[-2]["failures"], logs[-2]["outage_s"]) == (100, 100.0)
    assert logs[-1]["in_a_row"] == 1
