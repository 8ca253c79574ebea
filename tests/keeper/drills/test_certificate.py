"""A certificate that TLS accepts as one, and that nobody trusts."""

import ssl
from contextlib import suppress

import pytest
import trio
from solders.keypair import Keypair

from keeper.drills.certificate import self_signed


@pytest.fixture
def server(tmp_path):
    signed = self_signed("127.0.0.1", Keypair())
    path = tmp_path / "cert.pem"
    path.write_text(signed.certificate + signed.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def shake_hands(server, client):
    """The client's end of a handshake between the two."""
    near, far = trio.testing.memory_stream_pair()

    async def answer():
        with trio.move_on_after(5):
            with suppress(trio.BrokenResourceError):
                await trio.SSLStream(far, server, server_side=True).do_handshake()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        await trio.SSLStream(near, client, server_hostname="127.0.0.1").do_handshake()


async def test_a_client_that_asks_for_nothing_takes_it(server):
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    await shake_hands(server, client)


async def test_a_client_with_the_usual_trust_refuses_it(server):
    with pytest.RaisesGroup(
        pytest.RaisesExc(
            trio.BrokenResourceError, check=lambda error: "self-signed" in str(error.__cause__)
        ),
        flatten_subgroups=True,
    ):
        await shake_hands(server, ssl.create_default_context())
