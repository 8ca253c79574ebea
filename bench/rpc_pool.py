"""What the pool of endpoints costs: a call beside the bare one, and how long a dying endpoint is felt.

Two local networks' sockets on loopback, real time. `python -m bench.rpc_pool`
"""

import argparse
import statistics
import time

import httpx
import trio

from bench.report.figure import Beside, Figure, tell
from programs.localnet.bank import BankConfig
from programs.localnet.server import Localnet, LocalnetConfig, serve
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.rpc_transport import Endpoint

_ROUNDS = 2_000
_BATCH = 100


async def measure() -> list[Figure]:
    """Measure both."""
    async with trio.open_nursery() as nursery:
        config = LocalnetConfig(port=0, endpoints=2, bank=BankConfig(slot_ms=400))
        figures = [await _overhead(await nursery.start(serve, config))]
        for how in ("cut", "hanging"):
            figures += await _failover(await nursery.start(serve, config), how)
        nursery.cancel_scope.cancel()
    return figures


async def _overhead(network: Localnet) -> Figure:
    """Alternate batches of bare and pooled calls, and count processor time, the server's included in both."""
    params = ({"commitment": "confirmed"},)
    bare_us: list[float] = []
    pooled_us: list[float] = []
    async with httpx.AsyncClient() as client, open_rpc([network.url], RpcSettings()) as rpc:
        endpoint = Endpoint(network.url, client, try_timeout_s=5, body_bytes_max=1 << 20)
        await rpc.get_slot("confirmed")
        for _ in range(_ROUNDS // _BATCH):
            began_s = time.process_time()
            for _ in range(_BATCH):
                await endpoint.call("getSlot", params)
            middle_s = time.process_time()
            for _ in range(_BATCH):
                await rpc.get_slot("confirmed")
            bare_us.append((middle_s - began_s) / _BATCH * 1e6)
            pooled_us.append((time.process_time() - middle_s) / _BATCH * 1e6)
    return Figure(
        name="processor of one call through the pool of endpoints, the server's included",
        unit="µs",
        runs=tuple(pooled_us),
        limit=Beside(name="a bare call over the same sockets", value=statistics.median(bare_us)),
    )


async def _failover(network: Localnet, how: str) -> list[Figure]:
    """Let the endpoint in use die in the middle of reads, one after the other."""
    settings = RpcSettings(try_timeout_s=1.0)
    urls = [address.url for address in network.addresses]
    took_ms: list[float] = []
    async with open_rpc(urls, settings) as rpc:
        for number in range(300):
            if number == 100:
                network.trouble.asked.spoil_next(how, 10_000)
            began_s = time.perf_counter()
            await rpc.get_latest_blockhash("confirmed")
            took_ms.append((time.perf_counter() - began_s) * 1e3)
    usual = statistics.median(took_ms[10:100])
    return [
        Figure(
            name=f"the slowest read after the first endpoint's death ({how})",
            unit="ms",
            runs=(max(took_ms[100:]),),
            limit=Beside(name="a read before it", value=usual),
        ),
        Figure(
            name=f"reads over ten times the usual, of 200 after it ({how})",
            unit="",
            runs=(float(sum(took > 10 * usual for took in took_ms[100:])),),
        ),
    ]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.rpc_pool", description=__doc__)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    tell("rpc_pool", trio.run(measure), as_json=asked.json)


if __name__ == "__main__":
    main()
