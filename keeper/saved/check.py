"""Check that a root counts an account: python3 check.py PROOF.json [ROOT [PROGRAM]]. Root and program must come from somebody else than the proof."""

import base64
import hashlib
import json
import struct
import sys

FORMAT = "betting-state-proof-1"
DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
NAMES = ("vault_debt", "maker_liquidity", "rewards_owed")
# Kind and length of an account -> where it holds debt, liquidity and what rewards are owed.
POSITION, MAKER, CHAIN, EPOCH = (4, 160), (5, 144), (7, 904), 8
CHAIN_DEBTS = (160, 512, 672, 832)


def address(text: str) -> bytes:
    if not 32 <= len(text) <= 44:
        sys.exit(f"NOT PROVED: found {text[:50]!r}, expected an address in base58")
    number: int = sum(DIGITS.index(d) * 58**i for i, d in enumerate(text[::-1]))
    return number.to_bytes(32, "big")


def sums_of(data: bytes) -> tuple[int, int, int]:
    def at(offset: int) -> int:
        return int.from_bytes(data[offset : offset + 8], "little")

    kind = (data[0], len(data)) if len(data) > 1 and data[1] == 1 else (0, 0)
    if kind == POSITION:
        return at(88), 0, 0
    if kind == MAKER:
        return 0, at(72), 0
    if kind == CHAIN:
        return sum(map(at, CHAIN_DEBTS)), at(248), 0
    if kind[0] == EPOCH and len(data) >= 104:
        leaves = at(20) & 0xFFFFFFFF
        if len(data) == 104 + (leaves + 63) // 64 * 8:
            return 0, 0, max(0, at(24) - at(64))
    return 0, 0, 0


def packed(sums: tuple[int, ...]) -> bytes:
    if min(sums) < 0 or max(sums) >= 2**64:
        sys.exit(f"NOT PROVED: found sums {sums}, which no unsigned 64 bits hold")
    return struct.pack("<3Q", *sums)


def climb(said: dict) -> tuple[bytes, tuple[int, ...]]:  # type: ignore[type-arg]  # JSON
    data, index = base64.b64decode(said["data"]), int(said["index"])
    sums: tuple[int, ...] = sums_of(data)
    leaf = b"\0betting account" + packed(sums) + address(said["account"]) + data
    node = hashlib.sha256(leaf).digest()
    for sibling in said["path"]:
        other = bytes.fromhex(sibling["hash"])
        beside = tuple(int(sibling[name]) for name in NAMES)
        if len(other) != 32:
            sys.exit("NOT PROVED: found a hash that is not 32 bytes long")
        mine, theirs = node + packed(sums), other + packed(beside)
        left, right = (theirs, mine) if index & 1 else (mine, theirs)
        node = hashlib.sha256(b"\1" + left + right).digest()
        sums = tuple(one + more for one, more in zip(sums, beside, strict=True))
        index >>= 1
    if index or len(said["path"]) != max(int(said["leaves"]) - 1, 0).bit_length():
        sys.exit("NOT PROVED: found a path of another length than the tree's")
    return node, sums


def main() -> None:
    file, *expected = sys.argv[1:] if 2 <= len(sys.argv) <= 4 else sys.exit(__doc__)
    with open(file) as text:
        said = json.load(text)
    if said["format"] != FORMAT:
        sys.exit(f"NOT PROVED: found format {said['format']!r}, expected {FORMAT!r}")
    if expected[1:] and address(said["program"]) != address(expected[1]):
        program = repr(said["program"])
        sys.exit(f"NOT PROVED: this is of a snapshot of program {program}, expected {expected[1]}")
    node, sums = climb(said)
    context = address(said["genesis_hash"]) + address(said["program"])
    whole = struct.pack("<Q", int(said["leaves"])) + node + packed(sums)
    found = hashlib.sha256(b"\2betting state" + context + whole).hexdigest()
    root = (expected or [said["root"]])[0]
    if found != root:
        sys.exit(f"NOT PROVED: the path leads to root {found}, expected {root!r}")
    told = ", ".join(f"{name} {amount}" for name, amount in zip(NAMES, sums, strict=True))
    print(f"{said['account']} is counted by root {found}, which is of {told}")
    print(f"of program {said['program']} on the cluster of genesis hash {said['genesis_hash']}")
    if not expected:
        print("that root is the proof's own word: compare it with one from elsewhere")
    elif not expected[1:]:
        print("that program is the one of the root: compare it with the one that you mean")


if __name__ == "__main__":
    try:
        main()
    except (
        ArithmeticError,
        LookupError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        sys.exit(f"NOT PROVED: the file is no proof ({type(error).__name__}: {str(error)[:80]!r})")
