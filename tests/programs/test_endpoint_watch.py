"""endpoint_watch.py: endpoints that contradict each other about a finalized block. Real ones: localnet/test_several_endpoints.py."""

import json

import httpx
import pytest
import trio
from solders.hash import Hash
from solders.signature import Signature
from structlog.testing import capture_logs

from programs.endpoint_watch import go_round
from programs.rpc import RpcDisputed, RpcUnavailable
from programs.rpc_http import HttpRpc
from programs.rpc_settings import RpcSettings

TIP = 1_000


def block(name):
    return str(Hash(bytes([ord(name)] * 32)))


class Histories:
    """Endpoints named by the history they tell: each has a newest finalized slot and a block in every slot."""

    def __init__(self, errands, *histories, settings=None):
        self.histories, self.tips = list(histories), [TIP] * len(histories)
        self.keeps_blocks = [True] * len(histories)
        self.asked = []
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        urls = [f"http://{number}" for number in range(len(histories))]
        settings = settings or RpcSettings(tries=1)
        self.rpc = HttpRpc.over([client] * len(urls), urls, settings, errands, draw=lambda: 0.5)

    async def answer(self, request):
        await trio.lowlevel.checkpoint()
        number, call = int(request.url.host), json.loads(request.content)
        self.asked.append((number, call["method"]))
        return httpx.Response(200, json={"id": call["id"], **self.result(number, call)})

    def result(self, number, call):
        context = {"slot": self.tips[number]}
        if call["method"] == "getGenesisHash":
            return {"result": block("g")}
        if call["method"] == "getLatestBlockhash":
            value = {"blockhash": block(self.histories[number]), "lastValidBlockHeight": 1}
            return {"result": {"context": context, "value": value}}
        if call["method"] == "getBlock" and self.keeps_blocks[number]:
            return {"result": {"blockhash": block(self.histories[number])}}
        return {"error": {"code": -32011, "message": "Transaction history is not available"}}

    async def round(self):
        await go_round(self.rpc.pool, None)

    @property
    def aside(self):
        return [each.set_aside for each in self.rpc.statistics()]


async def test_one_against_one_signs_nothing_and_proves_nothing_until_they_agree(
    autojump_clock, nursery
):
    world = Histories(nursery, "a", "b")
    with capture_logs() as logs:
        await world.round()
        await world.round()
    (told,) = [line["reason"] for line in logs if line["event"] == "endpoints.disputed"]
    assert "nothing is signed until they agree; remove the wrong one from cluster.rpc_urls" in told
    assert world.aside == [None, None]
    with pytest.raises(RpcDisputed, match="finalized slot 1000"):
        await world.rpc.get_latest_blockhash("confirmed")
    with pytest.raises(RpcDisputed):
        await world.rpc.get_settled_statuses([Signature.default()])

    world.histories[1] = "a"
    await world.round()
    assert str((await world.rpc.get_latest_blockhash("confirmed")).blockhash) == block("a")


async def test_the_minority_is_set_aside_and_comes_back_when_it_agrees(autojump_clock, nursery):
    world = Histories(nursery, "a", "b", "a")
    await world.round()
    assert world.aside == [None, "other_fork", None]
    assert world.rpc.pool.book.order() == (0, 2)
    assert world.rpc.pool.dispute is None
    world.histories[1] = "a"
    await world.round()
    assert world.aside == [None, None, None]


async def test_one_that_is_ahead_is_asked_for_the_older_block_and_no_history_accuses_nobody(
    autojump_clock, nursery
):
    world = Histories(nursery, "a", "b", "a")
    world.tips = [TIP, TIP + 5, TIP]
    await world.round()
    assert (1, "getBlock") in world.asked
    assert world.aside == [None, "other_fork", None]

    world = Histories(nursery, "a", "b")
    world.tips, world.keeps_blocks = [TIP, TIP + 5], [True, False]
    await world.round()
    assert (world.aside, world.rpc.pool.dispute) == ([None, None], None)


async def test_when_agreement_ends_in_silence_the_one_set_aside_is_still_not_believed(
    autojump_clock, nursery
):
    world = Histories(nursery, "a", "b", "a")
    await world.round()
    world.rpc.pool.book.set_aside(0, "other_program", "test")
    world.rpc.pool.book.set_aside(2, "other_program", "test")
    with pytest.raises(RpcUnavailable, match="no endpoint is believed"):
        await world.rpc.get_latest_blockhash("confirmed")
