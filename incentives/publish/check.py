"""Check a published root against the chain: python3 check.py ROOT.json RPC_URL [PROGRAM]."""

import base64
import hashlib
import json
import struct
import sys
import urllib.request

DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def address(text: str) -> bytes:
    number: int = sum(DIGITS.index(d) * 58**i for i, d in enumerate(text[::-1]))
    return number.to_bytes(32, "big")


def root_of(epoch: int, index: int, leaves: list[tuple[bytes, int]]) -> bytes:
    domain = b"\0betting reward leaf" + struct.pack("<QI", epoch, index)
    level = [domain + struct.pack("<I32sQ", i, *leaf) for i, leaf in enumerate(leaves)]
    level = [hashlib.sha256(leaf).digest() for leaf in level]
    level += [bytes(32)] * ((1 << (len(level) - 1).bit_length()) - len(level))
    while len(level) > 1:
        pairs = [level[i] + level[i + 1] for i in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\1" + pair).digest() for pair in pairs]
    return level[0]


def account(url: str, name: str, owner: str) -> bytes:
    params = [name, {"encoding": "base64", "commitment": "finalized"}]
    call = {"jsonrpc": "2.0", "id": 1, "method": "getAccountInfo", "params": params}
    body, kind = json.dumps(call).encode(), {"Content-Type": "application/json"}
    reply = urllib.request.urlopen(urllib.request.Request(url, body, kind), timeout=30)
    found = json.load(reply)["result"]["value"]
    if not found or found["owner"] != owner:
        sys.exit(f"{name} is no account of {owner} there")
    return base64.b64decode(found["data"][0])


file, url, *program = sys.argv[1:] if len(sys.argv) > 2 else sys.exit(__doc__)
with open(file) as text:
    said = json.load(text)
leaves = [(address(wallet), int(amount)) for wallet, amount in said["leaves"]]
mine = (said["epoch"], said["index"], len(leaves), sum(amount for _, amount in leaves))
data = account(url, said["account"], program[0] if program else said["program"])
*theirs, root, _, paid = struct.unpack_from("<QIIQ32sQQ", data, 8)
if data[0] != 8 or mine != tuple(theirs) or root_of(*mine[:2], leaves) != root:
    sys.exit(f"{file} is NOT what stands on chain: published {mine}, found {theirs}, {root.hex()}")
print(f"{file}: the root on chain is of these {len(leaves)} leaves; {paid} are paid")
