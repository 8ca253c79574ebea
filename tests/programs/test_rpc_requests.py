"""What an endpoint sends is what httpx's client would build for the same call, and costs less to make."""

import json

import httpx
import pytest

from programs.rpc_transport import Endpoint


def endpoint_of(client, url="http://node.example:8899/path?key=1"):
    return Endpoint(url=url, client=client, try_timeout_s=5, body_bytes_max=10_000)


def answering(heard, **headers):
    async def answer(request):
        heard.append(request)
        request_id = json.loads(request.content)["id"]
        body = {"jsonrpc": "2.0", "id": request_id, "result": 7}
        return httpx.Response(200, json=body, headers=headers)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    "url", ["http://node.example:8899/path?key=1", "https://me:secret@node.example"]
)
async def test_every_request_is_the_one_that_the_client_would_build(url):
    heard = []
    async with answering(heard) as client:
        endpoint = endpoint_of(client, url)
        for params in (["ä", {"encoding": "base64"}], [1, None], []):
            assert (await endpoint.call("getSlot", params)).result == 7
        for number, params in enumerate((["ä", {"encoding": "base64"}], [1, None], [])):
            body = {"jsonrpc": "2.0", "id": number, "method": "getSlot", "params": params}
            headers = {"accept-encoding": "gzip"}
            built = client.build_request("POST", url, json=body, headers=headers)
            sent = heard[number]
            assert (sent.method, sent.url, sent.content) == ("POST", built.url, built.content)
            assert sent.extensions == built.extensions
            assert {**sent.headers, "authorization": ""} == {**built.headers, "authorization": ""}
            assert ("authorization" in sent.headers) == ("secret" in url)


async def test_a_cookie_that_a_node_sets_is_sent_back_to_it():
    heard = []
    async with answering(heard, **{"set-cookie": "shard=4"}) as client:
        endpoint = endpoint_of(client)
        for _ in range(3):
            await endpoint.call("getSlot", [])
    assert [request.headers.get("cookie") for request in heard] == [None, "shard=4", "shard=4"]
