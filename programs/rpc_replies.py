"""The `result` of each JSON-RPC method -> a value, or the fact that it has another shape than documented.

Core. A reply is data only once it has been read here: a node, or whatever stands in front of it, may answer anything.
"""

import binascii
from collections.abc import Callable
from typing import Any, TypeVar, cast

from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey
from solders.signature import Signature

from programs.rpc import (
    Account,
    Accounts,
    AddressSignature,
    LatestBlockhash,
    ProgramAccounts,
    RpcBadReply,
    SignatureStatus,
    Simulation,
    TransactionFacts,
)
from programs.units import BlockHeight, ComputeUnits, Lamports, MicroLamports, Slot

T = TypeVar("T")


def parse_reply(parse: Callable[[Any], T], method: str, found: object) -> T:
    """Turn a `result` into a value.

    Raises:
        RpcBadReply: it has another shape than documented.
    """
    try:
        return parse(found)
    except (LookupError, TypeError, ValueError, AttributeError, ParseHashError) as error:
        excerpt = str(found)[:120]
        raise RpcBadReply(f"{method}: unexpected result {excerpt} ({error})") from error


def read_number(found: object) -> int:
    """Read a slot or a block height."""
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise TypeError("not a number of slots or blocks")
    return found


def read_blockhash(found: Any) -> LatestBlockhash:  # noqa: ANN401 - JSON
    """Read the result of getLatestBlockhash."""
    value = found["value"]
    return LatestBlockhash(
        blockhash=Hash.from_string(value["blockhash"]),
        last_valid_block_height=BlockHeight(read_number(value["lastValidBlockHeight"])),
        slot=Slot(read_number(found["context"]["slot"])),
    )


def read_account(value: Any) -> Account | None:  # noqa: ANN401 - JSON
    """Read one account; None where there is none."""
    if value is None:
        return None
    return Account(
        owner=Pubkey.from_string(value["owner"]),
        lamports=Lamports(int(value["lamports"])),
        data=_base64(value["data"]),
        is_executable=bool(value["executable"]),
    )


def _base64(data: Any) -> bytes:  # noqa: ANN401 - JSON
    text, encoding = data
    if encoding != "base64":
        raise ValueError(f"account data is encoded in {encoding}, base64 was asked for")
    return binascii.a2b_base64(text, strict_mode=True)


def read_accounts(found: Any, count: int) -> Accounts:  # noqa: ANN401 - JSON
    """Read the result of getMultipleAccounts, in the order asked for."""
    if len(found["value"]) != count:
        raise ValueError(f"{len(found['value'])} accounts, {count} were asked for")
    return Accounts(
        slot=Slot(read_number(found["context"]["slot"])),
        accounts=tuple(read_account(value) for value in found["value"]),
    )


def read_context(found: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Check the frame of getProgramAccounts; its rows are read by `read_program_accounts`."""
    read_number(found["context"]["slot"])
    if not isinstance(found["value"], list):
        raise TypeError("value is no list")
    return cast("dict[str, Any]", found)


def read_program_accounts(found: dict[str, Any]) -> ProgramAccounts:
    """Read the rows of getProgramAccounts; what is no account is counted and left out."""
    accounts: list[tuple[bytes, bytes]] = []
    skipped = 0
    for row in found["value"]:
        try:
            address = bytes(Pubkey.from_string(row["pubkey"]))
            accounts.append((address, _base64(row["account"]["data"])))
        except (LookupError, TypeError, ValueError):
            skipped += 1
    return ProgramAccounts(slot=Slot(found["context"]["slot"]), accounts=accounts, skipped=skipped)


def read_statuses(found: Any, count: int) -> tuple[SignatureStatus | None, ...]:  # noqa: ANN401 - JSON
    """Read the result of getSignatureStatuses, in the order asked for."""
    if len(found["value"]) != count:
        raise ValueError(f"{len(found['value'])} statuses, {count} were asked for")
    return tuple(_signature_status(value) for value in found["value"])


def _signature_status(value: Any) -> SignatureStatus | None:  # noqa: ANN401 - JSON
    if value is None:
        return None
    commitment = value.get("confirmationStatus")
    if commitment is None:
        # Older nodes: no confirmations left to count means rooted.
        commitment = "finalized" if value["confirmations"] is None else "processed"
    if commitment not in {"processed", "confirmed", "finalized"}:
        raise ValueError(f"unknown commitment {commitment!r}")
    return SignatureStatus(
        slot=Slot(read_number(value["slot"])), err=value.get("err"), commitment=commitment
    )


def read_address_signatures(found: Any) -> tuple[AddressSignature, ...]:  # noqa: ANN401 - JSON
    """Read the result of getSignaturesForAddress, newest first."""
    return tuple(
        AddressSignature(
            signature=Signature.from_string(each["signature"]),
            slot=Slot(read_number(each["slot"])),
            err=each["err"],
        )
        for each in found
    )


def read_facts(found: Any) -> TransactionFacts | None:  # noqa: ANN401 - JSON
    """Read the result of getTransaction; None if the node does not have it."""
    if found is None:
        return None
    meta = found["meta"]
    used = meta.get("computeUnitsConsumed")
    loaded = meta.get("loadedAddresses") or {"writable": (), "readonly": ()}
    return TransactionFacts(
        slot=Slot(read_number(found["slot"])),
        err=meta["err"],
        fee_lamports=Lamports(int(meta["fee"])),
        cu_used=None if used is None else ComputeUnits(int(used)),
        logs=tuple(meta.get("logMessages") or ()),
        wire=_base64(found["transaction"]) if "transaction" in found else b"",
        loaded=tuple(
            Pubkey.from_string(text) for text in (*loaded["writable"], *loaded["readonly"])
        ),
    )


def read_fees(found: object) -> tuple[MicroLamports, ...]:
    """Read the result of getRecentPrioritizationFees."""
    if not isinstance(found, list):
        raise TypeError("not a list of slots")
    return tuple(MicroLamports(int(row["prioritizationFee"])) for row in found)


def read_simulation(found: Any) -> Simulation:  # noqa: ANN401 - JSON
    """Read the result of simulateTransaction."""
    value = found["value"]
    return Simulation(
        err=value["err"],
        logs=tuple(value.get("logs") or ()),
        cu_used=ComputeUnits(int(value.get("unitsConsumed") or 0)),
        slot=Slot(read_number(found["context"]["slot"])),
    )
