"""The scripted cluster behind a real socket: JSON-RPC over HTTP, for tests that kill their client."""

import json
import threading
import time
from base64 import b64decode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from solders.signature import Signature

from tests.fakes import ScriptedCluster


def answer(cluster, method, params):
    """Answer one call in the shape of agave."""
    if method == "getBlockHeight":
        return {"result": cluster.height(params[0]["commitment"])}
    if method == "getGenesisHash":
        return {"result": "11111111111111111111111111111111"}
    if method == "getFirstAvailableBlock":
        return {"result": 0}
    if method == "getEpochInfo":
        height = cluster.height(params[0]["commitment"])
        return {"result": {"absoluteSlot": height, "blockHeight": height}}
    if method == "getLatestBlockhash":
        blockhash, height = cluster.blockhash()
        value = {"blockhash": str(blockhash), "lastValidBlockHeight": height}
        return {"result": {"context": {"slot": cluster.slot}, "value": value}}
    if method == "getSignatureStatuses":
        history = params[1]["searchTransactionHistory"]
        found = [cluster.status(Signature.from_string(one), history=history) for one in params[0]]
        value = [
            one and {"slot": one.slot, "err": one.err, "confirmationStatus": one.commitment}
            for one in found
        ]
        return {"result": {"context": {"slot": cluster.slot}, "value": value}}
    if method == "getTransaction":
        found = cluster.status(Signature.from_string(params[0]), history=True)
        meta = found and {"err": found.err, "fee": 5_000, "computeUnitsConsumed": 1_234}
        return {"result": found and {"slot": found.slot, "meta": meta}}
    if method == "sendTransaction":
        wire = b64decode(params[0])
        words = cluster.receive(wire)
        if words is not None:
            return {"error": {"code": -32002, "message": words}}
        return {"result": str(Signature.from_bytes(wire[1:65]))}
    raise AssertionError(f"{method} is not part of landing")


@contextmanager
def serve_cluster(*, slot_s):
    """Serve a cluster on loopback; yields it and its url."""
    cluster = ScriptedCluster(time.monotonic, slot_s=slot_s)
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            call = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with turn:
                reply = answer(cluster, call["method"], call["params"])
            body = json.dumps({"jsonrpc": "2.0", "id": call["id"], **reply}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield cluster, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
