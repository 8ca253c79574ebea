import gzip
import json
from base64 import b64encode
from itertools import count

import httpx
import pytest
import trio
import trio.testing
from solders.pubkey import Pubkey
from solders.signature import Signature
from structlog.testing import capture_logs

from programs.endpoint_urls import shown_url
from programs.rpc import (
    RpcBadReply,
    RpcError,
    RpcLeftAlone,
    RpcTimeout,
    RpcUnreachable,
    SignatureStatus,
)
from programs.rpc_http import HttpRpc, open_rpc
from programs.rpc_settings import RpcSettings
from tests.programs.cluster_server import serve_cluster

ONE, TWO = "https://one.example/secret-key", "https://user:pw@two.example/?api-key=hidden"
KEY = Pubkey(bytes([3]) * 32)
SYSTEM = "11111111111111111111111111111111"


class Wire:
    """Answers by host: a list of replies, the last one repeated."""

    def __init__(self, **replies):
        self.replies = {host: list(given) for host, given in replies.items()}
        self.requests = []
        self.genesis = dict.fromkeys(replies, SYSTEM)
        self.proofs = []

    async def __call__(self, request):
        await trio.lowlevel.checkpoint()
        host = request.url.host.partition(".")[0]
        body = json.loads(request.content)
        if body["method"] == "getGenesisHash" and self.genesis is not None:
            # Asked once of every endpoint that answers, whatever the test is about.
            self.proofs.append(host)
            return httpx.Response(200, json={"id": body["id"], "result": self.genesis[host]})
        self.requests.append((host, body["method"], body["params"]))
        queue = self.replies[host]
        reply = queue.pop(0) if len(queue) > 1 else queue[0]
        if callable(reply):
            reply = await reply(body) if reply.__code__.co_flags & 0x80 else reply(body)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, httpx.Response):
            return reply
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": body["id"], **reply})

    def rpc(self, errands, *urls, **settings):
        settings = {"backoff_first_s": 0.01, "backoff_max_s": 0.02, "tries": 2} | settings
        urls = urls or (ONE,)
        clients = [httpx.AsyncClient(transport=httpx.MockTransport(self), timeout=None)] * len(urls)
        return HttpRpc.over(clients, urls, RpcSettings(**settings), errands, draw=lambda: 0.5)

    def hosts(self):
        return [host for host, _, _ in self.requests]


def result(value):
    return {"result": value}


def at(slot, value):
    return result({"context": {"slot": slot}, "value": value})


def status(slot, err=None, commitment="confirmed"):
    return {"slot": slot, "confirmations": 1, "err": err, "confirmationStatus": commitment}


def account(data=b"abc", owner=SYSTEM):
    return {
        "owner": str(owner),
        "lamports": 5,
        "data": [b64encode(data).decode(), "base64"],
        "executable": False,
        "rentEpoch": 18446744073709551615,
        "space": len(data),
    }


async def test_a_result_is_read(autojump_clock, nursery):
    wire = Wire(one=[result(7)])
    assert await wire.rpc(nursery).get_slot("confirmed") == 7
    assert wire.requests == [("one", "getSlot", [{"commitment": "confirmed"}])]


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (httpx.Response(429, json={"error": "slow down"}), RpcBadReply, "status 429"),
        (httpx.Response(503, text="down"), RpcBadReply, "status 503, text/plain.*down"),
        (httpx.Response(200, html="<html>Welcome</html>"), RpcBadReply, "text/html.*Welcome"),
        (httpx.Response(200, text='{"id":0,"result":7}'), RpcBadReply, "text/plain"),
        (
            httpx.Response(200, content=b"{", headers={"content-type": "application/json"}),
            RpcBadReply,
            "not JSON",
        ),
        (httpx.Response(200, json=[1]), RpcBadReply, "not an object"),
        (httpx.Response(200, json={"id": 999, "result": 7}), RpcBadReply, "answers request 999"),
        (
            lambda body: httpx.Response(200, json={"jsonrpc": "2.0", "id": body["id"]}),
            RpcBadReply,
            "neither result nor error",
        ),
        (result("seven"), RpcBadReply, "unexpected result 'seven'"),
        (result(2**63), RpcBadReply, "unexpected result"),
        (httpx.Response(401, text="no such path /secret-key"), RpcBadReply, "no such path /..."),
        ({"error": {"code": -32602, "message": "bad key secret-key"}}, RpcError, "bad key ..."),
        (result(-1), RpcBadReply, "unexpected result"),
        (result(None), RpcBadReply, "unexpected result"),
        (httpx.ConnectError("refused"), RpcUnreachable, "refused"),
        (httpx.ReadError(""), RpcUnreachable, "ReadError"),
        ({"error": {"code": 429, "message": "rate"}}, RpcError, "rate"),
        ({"error": {"code": -32602}}, RpcError, "code -32602"),
        ({"error": "just words"}, RpcError, "just words"),
    ],
)
async def test_no_bad_answer_ever_becomes_data(autojump_clock, nursery, reply, error, words):
    with pytest.raises(error, match=words) as refusal:
        await Wire(one=[reply]).rpc(nursery).get_slot("confirmed")
    assert "secret-key" not in str(refusal.value)


async def test_a_read_fails_over_and_stays_with_who_answered(autojump_clock, nursery):
    wire = Wire(one=[httpx.Response(429)], two=[result(7)])
    rpc = wire.rpc(nursery, ONE, TWO)
    assert await rpc.get_slot("confirmed") == 7
    assert await rpc.get_slot("confirmed") == 7
    assert wire.hosts() == ["one", "two", "two"]


async def test_a_read_is_tried_as_often_as_told_and_no_more(autojump_clock, nursery):
    wire = Wire(one=[httpx.Response(500)])
    with pytest.raises(RpcBadReply):
        await wire.rpc(nursery, tries=3).get_slot("confirmed")
    assert len(wire.requests) == 3


async def test_a_refusal_is_not_asked_again_but_a_node_behind_is(autojump_clock, nursery):
    wire = Wire(one=[{"error": {"code": -32602, "message": "bad"}}])
    with pytest.raises(RpcError):
        await wire.rpc(nursery).get_slot("confirmed")
    assert len(wire.requests) == 1
    wire = Wire(one=[{"error": {"code": -32005, "message": "behind"}}, result(7)])
    assert await wire.rpc(nursery).get_slot("confirmed") == 7


@pytest.mark.parametrize("error", ["upstream connect error", {"message": "no healthy upstream"}])
async def test_an_error_without_a_code_is_not_the_nodes_word_and_another_is_asked(
    autojump_clock, nursery, error
):
    wire = Wire(one=[{"error": error}], two=[result(7)])
    assert await wire.rpc(nursery, ONE, TWO).get_slot("confirmed") == 7


async def hang(body):
    await trio.sleep_forever()


async def test_a_silent_endpoint_times_out(autojump_clock, nursery):
    began = trio.current_time()
    with pytest.raises(RpcTimeout, match="no complete answer in 5 s"):
        await Wire(one=[hang]).rpc(nursery, tries=1).get_slot("confirmed")
    assert trio.current_time() - began == pytest.approx(5)


async def test_an_endpoint_that_hangs_costs_a_read_a_tenth_of_its_deadline(autojump_clock, nursery):
    rpc = Wire(one=[hang], two=[result(7)]).rpc(nursery, ONE, TWO)
    began = trio.current_time()
    assert await rpc.get_slot("confirmed") == 7
    assert trio.current_time() - began == pytest.approx(0.5)
    # Who answered is asked first from then on, and the other one is told apart from one that failed.
    # Three calls: the two questions, and which cluster it serves.
    assert await rpc.get_slot("confirmed") == 7
    assert trio.current_time() - began == pytest.approx(0.5)
    slow, fast = rpc.statistics()
    assert (slow.failures, slow.asked_beside) == ({"outrun": 1}, 0)
    assert (fast.calls, fast.asked_beside) == (3, 1)


async def test_one_that_answers_in_time_is_asked_alone(autojump_clock, nursery):
    async def slow(body):
        await trio.sleep(0.4)
        return result(7)

    wire = Wire(one=[slow], two=[result(8)])
    assert await wire.rpc(nursery, ONE, TWO).get_slot("confirmed") == 7
    assert wire.hosts() == ["one"]


async def test_a_refusal_of_the_second_does_not_bind_a_read_to_the_first_which_hangs(
    autojump_clock, nursery
):
    began = trio.current_time()
    wire = Wire(one=[hang], two=[httpx.Response(500), result(7)])
    assert await wire.rpc(nursery, ONE, TWO).get_slot("confirmed") == 7
    assert trio.current_time() - began == pytest.approx(1.5)
    assert wire.hosts() == ["one", "two", "two"]


async def test_a_list_of_a_million_accounts_is_asked_of_one_endpoint_at_a_time(
    autojump_clock, nursery
):
    began = trio.current_time()
    rpc = Wire(one=[hang], two=[at(9, [])]).rpc(nursery, ONE, TWO, scan_timeout_s=20)
    await rpc.get_program_accounts(KEY, "confirmed")
    assert trio.current_time() - began == pytest.approx(20)
    slow, fast = rpc.statistics()
    assert (slow.failures, fast.asked_beside) == ({"timeout": 1}, 0)


async def test_who_is_asked_although_nobody_is_good_is_named_with_what_is_wrong(
    autojump_clock, nursery
):
    wire = Wire(one=[httpx.Response(429), result(7)], two=[httpx.Response(429)])
    with capture_logs() as logs:
        assert await wire.rpc(nursery, ONE, TWO, tries=3).get_slot("confirmed") == 7
    told, *_ = [line["reason"] for line in logs if line["event"] == "endpoints.unread"]
    assert told.startswith("no endpoint is good: https://")
    assert told.endswith("is asked all the same (its calls failed a moment ago)")


async def test_a_slow_send_gets_no_company_for_it_went_to_everybody_at_once(
    autojump_clock, nursery
):
    async def slow(body):
        await trio.sleep(3)
        return result(str(Signature.default()))

    wire = Wire(one=[slow], two=[slow])
    rpc = wire.rpc(nursery, ONE, TWO)
    await rpc.send_transaction(b"wire")
    assert sorted(wire.hosts()) == ["one", "two"]
    assert [each.asked_beside for each in rpc.statistics()] == [0, 0]


async def test_a_send_that_nobody_may_be_given_says_for_how_long(autojump_clock, nursery):
    wire = Wire(one=[httpx.Response(429, headers={"retry-after": "3"})])
    rpc = wire.rpc(nursery)
    with pytest.raises(RpcBadReply):
        await rpc.send_transaction(b"wire")
    with pytest.raises(RpcLeftAlone, match=r"asked to be left alone, the first for 3\.0 s"):
        await rpc.send_transaction(b"wire")


async def test_all_tries_together_end_at_the_deadline(autojump_clock, nursery):
    began = trio.current_time()
    with pytest.raises(RpcTimeout, match="no answer within 7 s from"):
        await Wire(one=[hang]).rpc(nursery, tries=9, read_deadline_s=7).get_slot("confirmed")
    assert trio.current_time() - began == pytest.approx(7)


async def test_a_dripping_body_does_not_outlive_the_timeout(autojump_clock, nursery):
    class Drip(httpx.AsyncByteStream):
        async def __aiter__(self):
            while True:
                await trio.sleep(0.1)
                yield b" "

    json_type = {"content-type": "application/json"}
    with pytest.raises(RpcTimeout):
        await (
            Wire(one=[lambda _: httpx.Response(200, headers=json_type, stream=Drip())])
            .rpc(nursery, tries=1)
            .get_slot("confirmed")
        )


async def test_a_body_beyond_the_limit_is_refused(autojump_clock, nursery):
    with pytest.raises(RpcBadReply, match="longer than 100 bytes"):
        await Wire(one=[result("x" * 200)]).rpc(nursery, body_bytes_max=100).get_slot("confirmed")


async def test_what_is_compressed_twice_is_never_unpacked(autojump_clock, nursery):
    bomb = gzip.compress(gzip.compress(bytes(1 << 20)))
    headers = {"content-type": "application/json", "content-encoding": "gzip, gzip"}
    pieces = httpx.ByteStream(bomb)
    wire = Wire(one=[lambda _: httpx.Response(200, headers=headers, stream=pieces)])
    with pytest.raises(RpcBadReply, match="content encoding 'gzip, gzip'"):
        await wire.rpc(nursery, body_bytes_max=100).get_slot("confirmed")


async def test_what_a_node_says_of_an_error_is_cut_short(autojump_clock, nursery):
    for error in ("x" * 10_000, {"code": 1, "message": "x" * 10_000}, ["x" * 10_000] * 10):
        with pytest.raises(RpcError) as refusal:
            await Wire(one=[{"error": error}]).rpc(nursery).get_slot("confirmed")
        assert len(str(refusal.value)) < 500


async def test_an_infinite_balance_is_a_bad_reply(autojump_clock, nursery):
    def infinite(body):
        text = f'{{"id":{body["id"]},"result":{{"context":{{"slot":1}},"value":Infinity}}}}'
        return httpx.Response(200, text=text, headers={"content-type": "application/json"})

    with pytest.raises(RpcBadReply, match="unexpected result"):
        await Wire(one=[infinite]).rpc(nursery).get_balance(KEY, "confirmed")


async def test_sends_go_to_every_endpoint_and_one_acceptance_is_enough(autojump_clock, nursery):
    wire = Wire(one=[httpx.ConnectError("gone")], two=[result("sig")])
    await wire.rpc(nursery, ONE, TWO).send_transaction(b"bytes")
    await trio.testing.wait_all_tasks_blocked()
    assert sorted(wire.hosts()) == ["one", "two"]
    _, method, (encoded, options) = wire.requests[0]
    assert (method, encoded) == ("sendTransaction", b64encode(b"bytes").decode())
    assert options == {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}


async def test_a_send_that_nobody_took_gives_the_clearest_reason_and_is_not_retried(
    autojump_clock, nursery
):
    refusal = {"error": {"code": -32002, "message": "already", "data": {"err": "AlreadyProcessed"}}}
    wire = Wire(one=[httpx.ConnectError("gone")], two=[refusal])
    with pytest.raises(RpcError) as error:
        await wire.rpc(nursery, ONE, TWO).send_transaction(b"bytes")
    assert error.value.is_already_processed
    assert len(wire.requests) == 2


async def test_statuses_are_asked_256_at_a_time_and_returned_in_order(autojump_clock, nursery):
    signatures = [Signature(n.to_bytes(64, "big")) for n in range(600)]
    place = {str(signature): n for n, signature in enumerate(signatures)}

    def answer(body):
        return at(9, [status(place[name]) for name in body["params"][0]])

    wire = Wire(one=[answer])
    found = await wire.rpc(nursery).get_signature_statuses(signatures)
    assert [one.slot for one in found] == list(range(600))
    assert sorted(len(params[0]) for _, _, params in wire.requests) == [88, 256, 256]


async def test_an_unknown_error_keeps_its_json_and_the_batch_its_others(autojump_clock, nursery):
    odd = {"NeverSeen": {"deep": [1, None]}}
    wire = Wire(one=[at(9, [status(1, odd), None, status(2, commitment="finalized")])])
    found = await wire.rpc(nursery).get_signature_statuses([Signature.default()] * 3)
    assert found == (
        SignatureStatus(slot=1, err=odd, commitment="confirmed"),
        None,
        SignatureStatus(slot=2, err=None, commitment="finalized"),
    )


async def test_one_failing_chunk_fails_the_reading_with_its_own_reason(autojump_clock, nursery):
    wire = Wire(one=[at(9, [None] * 256), {"error": {"code": -32602, "message": "bad"}}])
    with pytest.raises(RpcError, match="bad"):
        await wire.rpc(nursery).get_signature_statuses([Signature.default()] * 600)


@pytest.mark.parametrize(("confirmations", "commitment"), [(None, "finalized"), (3, "processed")])
async def test_a_status_without_a_commitment_is_believed_no_further_than_it_says(
    autojump_clock, nursery, confirmations, commitment
):
    row = {"slot": 1, "confirmations": confirmations, "err": None}
    (found,) = (
        await Wire(one=[at(9, [row])]).rpc(nursery).get_signature_statuses([Signature.default()])
    )
    assert found.commitment == commitment


@pytest.mark.parametrize(
    ("method", "value", "words"),
    [
        ("get_signature_statuses", [status(1, commitment="imagined")], "unknown commitment"),
        ("get_multiple_accounts", [account() | {"data": ["zz", "base58"]}], "encoded in base58"),
        ("get_multiple_accounts", [], "0 accounts, 1 were asked for"),
    ],
)
async def test_a_reply_that_is_not_what_was_asked_for_is_refused(
    autojump_clock, nursery, method, value, words
):
    rpc = Wire(one=[at(9, value)]).rpc(nursery, tries=1)
    args = ([Signature.default()],) if "status" in method else ([KEY], "confirmed")
    with pytest.raises(RpcBadReply, match=words):
        await getattr(rpc, method)(*args)


async def test_a_batch_of_the_wrong_length_is_refused(autojump_clock, nursery):
    with pytest.raises(RpcBadReply, match="1 statuses, 2 were asked for"):
        await (
            Wire(one=[at(9, [None])]).rpc(nursery).get_signature_statuses([Signature.default()] * 2)
        )


async def test_settled_statuses_and_their_height_come_from_one_endpoint_height_first(
    autojump_clock,
    nursery,
):
    epochs = [result({"absoluteSlot": 8, "blockHeight": height}) for height in (5, 900)]
    wire = Wire(one=[epochs[0], httpx.Response(500)], two=[epochs[1], result(3), at(9, [None])])
    found = await wire.rpc(nursery, ONE, TWO).get_settled_statuses([Signature.default()])
    assert (found.finalized_block_height, found.statuses) == (900, (None,))
    assert found.first_available_slot == 3
    assert [(host, method) for host, method, _ in wire.requests] == [
        ("one", "getEpochInfo"),
        ("one", "getFirstAvailableBlock"),
        ("two", "getEpochInfo"),
        ("two", "getFirstAvailableBlock"),
        ("two", "getSignatureStatuses"),
    ]
    assert wire.requests[-1][2][1] == {"searchTransactionHistory": True}


async def test_accounts_are_read_100_at_a_time_at_no_newer_slot_than_the_oldest(
    autojump_clock, nursery
):
    slots = count(50)

    def answer(body):
        return at(next(slots), [account()] + [None] * (len(body["params"][0]) - 1))

    found = await Wire(one=[answer]).rpc(nursery).get_multiple_accounts([KEY] * 250, "confirmed")
    assert (found.slot, len(found.accounts)) == (50, 250)
    assert found.accounts[100].data == b"abc"
    assert found.accounts[1] is None


async def test_no_addresses_need_no_call(autojump_clock, nursery):
    wire = Wire(one=[])
    assert (await wire.rpc(nursery).get_multiple_accounts([], "confirmed")).accounts == ()
    assert await wire.rpc(nursery).get_signature_statuses([]) == ()
    assert wire.requests == []


async def test_program_accounts_are_bytes_and_a_broken_one_is_counted(autojump_clock, nursery):
    rows = [
        {"pubkey": str(KEY), "account": account(b"data", KEY)},
        {"pubkey": "?", "account": {}},
        7,
    ]
    wire = Wire(one=[at(9, rows)])
    filters = [{"memcmp": {"offset": 0, "bytes": "2"}}]
    found = await wire.rpc(nursery).get_program_accounts(
        KEY, "confirmed", filters=filters, data_slice=(8, 4)
    )
    assert (found.slot, found.accounts, found.skipped) == (9, [(bytes(KEY), b"data")], 2)
    assert wire.requests[0][2][1] == {
        "commitment": "confirmed",
        "encoding": "base64",
        "withContext": True,
        "filters": filters,
        "dataSlice": {"offset": 8, "length": 4},
    }


async def test_a_large_reading_is_decoded_off_the_loop(nursery):
    rows = [
        {"pubkey": str(Pubkey(number.to_bytes(32))), "account": account(bytes(9_000), KEY)}
        for number in range(200)
    ]
    found = await Wire(one=[at(9, rows)]).rpc(nursery).get_program_accounts(KEY, "confirmed")
    assert len(found.accounts) == 200


async def test_the_other_readings_have_the_shapes_of_agave(autojump_clock, nursery):
    latest = {"blockhash": SYSTEM, "lastValidBlockHeight": 300}
    meta = {"err": None, "fee": 5_000, "computeUnitsConsumed": 42, "logMessages": ["a"]}
    simulated = {"err": {"InstructionError": [0, "Custom"]}, "logs": None, "unitsConsumed": 7}

    async def read(reply, method, *args):
        return await getattr(Wire(one=[reply]).rpc(nursery), method)(*args)

    found = await read(at(9, latest), "get_latest_blockhash", "confirmed")
    assert (str(found.blockhash), found.last_valid_block_height, found.slot) == (SYSTEM, 300, 9)
    assert await read(at(9, 5), "get_balance", KEY, "confirmed") == 5
    assert (await read(at(9, account()), "get_account", KEY, "confirmed")).lamports == 5
    assert await read(at(9, None), "get_account", KEY, "confirmed") is None
    assert str(await read(result(SYSTEM), "get_genesis_hash")) == SYSTEM
    assert await read(result(None), "get_transaction", Signature.default()) is None
    facts = await read(result({"slot": 9, "meta": meta}), "get_transaction", Signature.default())
    assert (facts.cu_used, facts.fee_lamports, facts.logs) == (42, 5_000, ("a",))
    simulation = await read(at(9, simulated), "simulate_transaction", b"bytes")
    assert (simulation.cu_used, simulation.logs) == (7, ())
    fees = result([{"slot": 1, "prioritizationFee": 3}, {"slot": 2, "prioritizationFee": 0}])
    assert await read(fees, "get_recent_prioritization_fees", [KEY]) == (3, 0)


@pytest.mark.parametrize(
    "method",
    [
        ("get_latest_blockhash", "confirmed"),
        ("get_balance", KEY, "confirmed"),
        ("get_account", KEY, "confirmed"),
        ("get_multiple_accounts", [KEY], "confirmed"),
        ("get_program_accounts", KEY, "confirmed"),
        ("get_signature_statuses", [Signature.default()]),
        ("get_settled_statuses", [Signature.default()]),
        ("get_transaction", Signature.default()),
        ("get_recent_prioritization_fees", [KEY]),
        ("simulate_transaction", b"bytes"),
        ("get_genesis_hash",),
        ("get_block_height", "finalized"),
    ],
    ids=lambda method: method[0],
)
@pytest.mark.parametrize(
    "odd", [[], {}, "text", 1.5, True, {"context": {}, "value": {}}, {"value": [7]}]
)
async def test_a_result_of_another_shape_is_a_bad_reply(autojump_clock, nursery, method, odd):
    name, *args = method
    wire = Wire(one=[result(odd)])
    wire.genesis = None if method[0] == "get_genesis_hash" else wire.genesis
    rpc = wire.rpc(nursery, tries=1)
    if name == "get_recent_prioritization_fees" and odd == []:
        # No fees in any recent slot.
        assert await rpc.get_recent_prioritization_fees(*args) == ()
        return
    with pytest.raises(RpcBadReply, match="unexpected result"):
        await getattr(rpc, name)(*args)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://one.example/secret", "https://one.example/…"),
        ("https://u:p@one.example", "https://one.example/…"),
        ("http://127.0.0.1:8899", "http://127.0.0.1:8899"),
        ("https://one.example/?api-key=x", "https://one.example/…"),
    ],
)
async def test_keys_in_urls_are_never_shown(nursery, url, shown):
    assert shown_url(url) == shown
    assert "secret" not in repr(Wire(one=[]).rpc(nursery, ONE))


async def test_no_endpoint_is_a_mistake_of_the_configuration():
    with pytest.raises(ValueError, match="at least one url"):
        async with open_rpc([], RpcSettings()):
            pass  # pragma: no cover - refused above


async def test_nobody_listening_is_unreachable():
    async with open_rpc(["http://127.0.0.1:9"], RpcSettings(tries=1)) as rpc:
        with pytest.raises(RpcUnreachable, match=r"127\.0\.0\.1:9"):
            await rpc.get_slot("confirmed")


async def test_no_url_reaches_the_logs(caplog):
    caplog.set_level("DEBUG")
    with serve_cluster(slot_s=0.4) as (_, url):
        async with open_rpc([f"{url}/secret-key"], RpcSettings()) as rpc:
            await rpc.get_block_height("confirmed")
    assert "secret-key" not in caplog.text


def test_settings_that_could_never_succeed_are_refused():
    with pytest.raises(ValueError, match="tries is 0"):
        RpcSettings(tries=0)


async def test_two_keys_at_one_provider_have_figures_of_their_own():
    urls = ("https://rpc.invalid/key-one", "https://rpc.invalid/key-two", "http://127.0.0.1:1")
    async with open_rpc(urls, RpcSettings()) as rpc:
        names = [each.name for each in rpc.statistics()]
    assert names == ["https://rpc.invalid/… #1", "https://rpc.invalid/… #2", "http://127.0.0.1:1"]
