"""What the pool of endpoints costs: a call beside the bare one, and how long a dying endpoint is felt.

Two local networks' sockets on loopback, real time. `python -m bench.rpc_pool`
"""

import statistics
import time

import httpx
import trio

from programs.localnet.bank import BankConfig
from programs.localnet.server import Localnet, LocalnetConfig, serve
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.rpc_transport import Endpoint

_ROUNDS = 2_000
_BATCH = 100


async def main() -> None:
    """Measure and print."""
    async with trio.open_nursery() as nursery:
        config = LocalnetConfig(port=0, endpoints=2, bank=BankConfig(slot_ms=400))
        await _overhead(await nursery.start(serve, config))
        for how in ("cut", "hanging"):
            await _failover(await nursery.start(serve, config), how)
        nursery.cancel_scope.cancel()


async def _overhead(network: Localnet) -> None:
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
    bare, pooled = statistics.median(bare_us), statistics.median(pooled_us)
    print(
        f"one call: {bare:.0f} us of processor bare, {pooled:.0f} us through the pool: {pooled - bare:+.0f} us"
    )


async def _failover(network: Localnet, how: str) -> None:
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
    print(
        f"first {how:8} usual read {usual:.1f} ms; the slowest after the death "
        f"{max(took_ms[100:]):.1f} ms, reads over 10x usual: {sum(t > 10 * usual for t in took_ms[100:])}"
    )


if __name__ == "__main__":
    trio.run(main)
