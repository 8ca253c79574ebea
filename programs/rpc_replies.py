"""The `result` of each JSON-RPC method -> a value, or the fact that it has another shape than documented.

Core. A reply is data only once it has been read here: a node, or whatever stands in front of it, may answer anything.
"""

import binascii
import reprlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from programs.localnet import base58
from programs.log_limit import until_cut
from programs.rpc import (
    Account,
    Accounts,
    AddressSignature,
    Block,
    BlockTransaction,
    Calls,
    InnerCall,
    LatestBlockhash,
    ProgramAccounts,
    RpcBadReply,
    SignatureStatus,
    Simulation,
    TransactionFacts,
)
from programs.units import (
    I64_MAX,
    TRANSACTION_CU_MAX,
    BlockHeight,
    ComputeUnits,
    Lamports,
    MicroLamports,
    Slot,
)

T = TypeVar("T")

_LIFE_BLOCKS_MAX: Final = 300
"""A blockhash is valid for 150 blocks, remembered for 300, and no chain has more blocks than slots. Source: agave
sdk/clock, MAX_PROCESSING_AGE and MAX_RECENT_BLOCKHASHES."""
_PAGE_MEMBERS: Final = ("paginationKey", "nextPageToken", "nextCursor", "cursor", "hasMore", "next")
"""What providers that answer in pages call the way to the next one. Source: Helius' getProgramAccountsV2, and custom."""


def parse_reply(parse: Callable[[Any], T], method: str, found: object) -> T:
    """Turn a `result` into a value.

    Raises:
        RpcBadReply: it has another shape than documented.
    """
    try:
        return parse(found)
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        ParseHashError,
    ) as error:
        # Not str(): what was found may be large, and deeper than Python recurses.
        excerpt = reprlib.repr(found)[:120]
        raise RpcBadReply(f"{method}: unexpected result {excerpt} ({error})") from error


def read_number(found: object) -> int:
    """Read a slot, a block height, or lamports. No cluster gets past an i64, and neither do arrays nor the database."""
    if type(found) is not int or not 0 <= found <= I64_MAX:
        raise TypeError("not a number of slots, blocks or lamports")
    return found


def _compute_units(found: object) -> ComputeUnits:
    if (used := read_number(found)) > TRANSACTION_CU_MAX:
        raise ValueError(f"{used} compute units, a transaction has {TRANSACTION_CU_MAX} at most")
    return ComputeUnits(used)


def read_blockhash(found: Any) -> LatestBlockhash:  # noqa: ANN401 - JSON
    """Read the result of getLatestBlockhash.

    Raises:
        ValueError: it would live longer than any; what is signed with it would never be proved expired, and its jobs never
            be free again.
    """
    value = found["value"]
    latest = LatestBlockhash(
        blockhash=Hash.from_string(value["blockhash"]),
        last_valid_block_height=BlockHeight(read_number(value["lastValidBlockHeight"])),
        slot=Slot(read_number(found["context"]["slot"])),
    )
    if latest.last_valid_block_height > latest.slot + _LIFE_BLOCKS_MAX:
        raise ValueError("valid for longer than a blockhash is")
    return latest


def read_epoch(found: Any) -> tuple[Slot, BlockHeight]:  # noqa: ANN401 - JSON
    """Read slot and block height of one block out of the result of getEpochInfo."""
    return (
        Slot(read_number(found["absoluteSlot"])),
        BlockHeight(read_number(found["blockHeight"])),
    )


def read_account(value: Any) -> Account | None:  # noqa: ANN401 - JSON
    """Read one account; None where there is none."""
    if value is None:
        return None
    return Account(
        owner=Pubkey.from_string(value["owner"]),
        lamports=Lamports(read_number(value["lamports"])),
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


def read_program_accounts(found: Any, owner: Pubkey) -> ProgramAccounts:  # noqa: ANN401 - JSON
    """Read the result of getProgramAccounts; a row that is no account is counted and left out.

    The reply as a whole is refused when it says of itself that there is more (a page), names an address twice, or holds an
    account of another program: the owner is told even where data is sliced. That accounts are missing cannot be seen in
    one reply; see completeness.py.

    Raises:
        ValueError: it is not all accounts of this program.
    """
    slot = Slot(read_number(found["context"]["slot"]))
    rows = found["value"]
    if not isinstance(rows, list):
        raise TypeError("value is no list")
    more = next((name for name in _PAGE_MEMBERS if found.get(name) is not None), None)
    if more is not None:
        raise ValueError(f"one page of {len(rows)} accounts: {more} says there are more")
    accounts: list[tuple[bytes, bytes]] = []
    skipped = 0
    program = str(owner)
    for row in rows:
        try:
            account = row["account"]
            address, data = bytes(Pubkey.from_string(row["pubkey"])), _base64(account["data"])
            found_owner = account["owner"]
        except (LookupError, TypeError, ValueError):
            skipped += 1
            continue
        if found_owner != program:
            raise ValueError(f"account {row['pubkey']} belongs to {found_owner}, not {program}")
        accounts.append((address, data))
    if len({address for address, _ in accounts}) != len(accounts):
        raise ValueError(f"an address stands twice among {len(accounts)} accounts")
    return ProgramAccounts(slot=slot, accounts=accounts, skipped=skipped)


def has_twins(addresses: npt.NDArray[np.void]) -> bool:
    """Whether an address stands twice; a million take some 70 ms."""
    if len(addresses) == 0:
        return False
    begins = addresses.view(np.uint64).reshape(len(addresses), -1)[:, 0]
    ordered = np.sort(begins)
    if not (ordered[1:] == ordered[:-1]).any():
        return False
    # Addresses may begin alike, and vanity ones do: look at all of them.
    return len({address.tobytes() for address in addresses}) != len(addresses)


def read_slot(found: Any) -> Slot:  # noqa: ANN401 - JSON
    """Read which slot a result is about."""
    return Slot(read_number(found["context"]["slot"]))


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
    return None if found is None else _facts(found, Slot(read_number(found["slot"])))


def _facts(found: Any, slot: Slot) -> TransactionFacts:  # noqa: ANN401 - JSON
    meta = found["meta"]
    used = meta.get("computeUnitsConsumed")
    loaded = meta.get("loadedAddresses") or {"writable": (), "readonly": ()}
    return TransactionFacts(
        slot=slot,
        err=meta["err"],
        fee_lamports=Lamports(read_number(meta["fee"])),
        cu_used=None if used is None else _compute_units(used),
        logs=tuple(meta.get("logMessages") or ()),
        wire=_base64(found["transaction"]) if "transaction" in found else b"",
        loaded=tuple(
            Pubkey.from_string(text) for text in (*loaded["writable"], *loaded["readonly"])
        ),
    )


def read_block(found: Any, slot: Slot) -> Block:  # noqa: ANN401 - JSON
    """Read the result of getBlock for this slot, asked with all transactions in base64.

    Raises:
        ValueError: it is not after its parent, a transaction is none, or one stands in it twice.
    """
    parent = Slot(read_number(found["parentSlot"]))
    if parent >= slot > 0:
        raise ValueError(f"block of slot {slot} names slot {parent} as the one before it")
    transactions = tuple(_block_transaction(each, slot) for each in found["transactions"])
    if len({each.signature for each in transactions}) != len(transactions):
        raise ValueError(f"a signature stands twice in the block of slot {slot}")
    return Block(
        slot=slot,
        parent=parent,
        blockhash=Hash.from_string(found["blockhash"]),
        transactions=transactions,
    )


def _block_transaction(found: Any, slot: Slot) -> BlockTransaction:  # noqa: ANN401 - JSON
    facts = _facts(found, slot)
    transaction = VersionedTransaction.from_bytes(facts.wire)
    _, is_cut = until_cut(facts.logs)
    calls = _calls(found["meta"]) if is_cut and facts.err is None else None
    return BlockTransaction(signature=transaction.signatures[0], facts=facts, calls=calls)


def _calls(meta: Any) -> Calls | None:  # noqa: ANN401 - JSON
    """Read what was called; None where the node does not record it, or not how deep."""
    groups = meta.get("innerInstructions")
    if groups is None or any(
        each.get("stackHeight") is None for group in groups for each in group["instructions"]
    ):
        return None
    return Calls(
        inner=tuple(
            InnerCall(
                outer=read_number(group["index"]),
                height=read_number(each["stackHeight"]),
                program=read_number(each["programIdIndex"]),
                accounts=tuple(map(read_number, each["accounts"])),
                data=base58.decode(each["data"]),
            )
            for group in groups
            for each in group["instructions"]
        ),
    )


def read_fees(found: object) -> tuple[MicroLamports, ...]:
    """Read the result of getRecentPrioritizationFees."""
    if not isinstance(found, list):
        raise TypeError("not a list of slots")
    return tuple(MicroLamports(read_number(row["prioritizationFee"])) for row in found)


def read_simulation(found: Any) -> Simulation:  # noqa: ANN401 - JSON
    """Read the result of simulateTransaction."""
    value = found["value"]
    return Simulation(
        err=value["err"],
        logs=tuple(value.get("logs") or ()),
        cu_used=_compute_units(value.get("unitsConsumed") or 0),
        slot=Slot(read_number(found["context"]["slot"])),
    )
