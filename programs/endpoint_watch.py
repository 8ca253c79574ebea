"""Ask every endpoint the same, again and again: which cluster, which program, which finalized block; how new, how fast.

Shell. Reads only learn of the endpoints that they use. Here the others are heard too: one that was down is probed, one that
is set aside may come back, and two that contradict each other are found out before money depends on them.
"""

from typing import Any, Final

import structlog
import trio

from programs.agreement import Landmark, Tip, judge
from programs.rpc import RpcFailure
from programs.rpc_pool import Pool
from programs.rpc_question import Question
from programs.rpc_replies import read_account, read_blockhash
from programs.units import Slot

OTHER_FORK: Final = "other_fork"
OTHER_PROGRAM: Final = "other_program"
"""Why an endpoint is set aside: another block in a finalized slot; other bytes of an account that cannot change."""

log = structlog.get_logger()


async def watch_endpoints(pool: Pool, landmark: Landmark | None) -> None:
    """Go round all endpoints until cancelled."""
    while True:
        await go_round(pool, landmark)
        await trio.sleep(pool.settings.check_interval_s)


async def go_round(pool: Pool, landmark: Landmark | None) -> None:
    """Visit every endpoint that may be asked, and hold their words against each other."""
    tips: dict[int, Tip] = {}
    async with trio.open_nursery() as nursery:
        for number in range(len(pool.endpoints)):
            if pool.book.is_askable(number):
                nursery.start_soon(_visit, pool, number, landmark, tips)
    await _compare(pool, tips)


async def _visit(pool: Pool, number: int, landmark: Landmark | None, tips: dict[int, Tip]) -> None:
    try:
        if not await pool.identify(number):
            return
        if landmark is not None and not await _serves(pool, number, landmark):
            return
        began_s = trio.current_time()
        tips[number] = await pool.ask(number, _TIP)
        pool.book.clock(number, trio.current_time() - began_s)
    except RpcFailure:
        return  # counted, and told by the breaker


def _read_tip(found: Any) -> Tip:  # noqa: ANN401 - JSON
    latest = read_blockhash(found)
    return Tip(slot=latest.slot, blockhash=str(latest.blockhash))


_TIP: Final = Question(
    method="getLatestBlockhash",
    params=({"commitment": "finalized"},),
    parse=_read_tip,
    is_visit=True,
)


async def _serves(pool: Pool, number: int, landmark: Landmark) -> bool:
    """Whether an endpoint serves the bytes that cannot change; sets it aside if not."""
    options = {
        "commitment": "finalized",
        "encoding": "base64",
        "dataSlice": {"offset": landmark.offset, "length": len(landmark.data)},
    }
    account = await pool.ask(
        number,
        Question(
            method="getAccountInfo",
            params=(str(landmark.address), options),
            parse=lambda found: read_account(found["value"]),
            is_visit=True,
        ),
    )
    if account is not None and (account.owner, account.data) == (landmark.owner, landmark.data):
        pool.book.believe_again(number, OTHER_PROGRAM)
        return True
    found = "no account" if account is None else f"other bytes, of owner {account.owner}"
    pool.book.set_aside(
        number,
        OTHER_PROGRAM,
        f"it serves {found} at {landmark.address}, where the immutable program is: nothing it says is believed",
    )
    return False


async def _compare(pool: Pool, tips: dict[int, Tip]) -> None:
    if not tips:
        return
    newest = max(tip.slot for tip in tips.values())
    for number, tip in tips.items():
        pool.book.trail(number, newest - tip.slot)
    slot = min(tip.slot for tip in tips.values())
    words: dict[int, str | None] = {
        number: tip.blockhash for number, tip in tips.items() if tip.slot == slot
    }
    async with trio.open_nursery() as nursery:
        for number in tips.keys() - words.keys():
            nursery.start_soon(_ask_block, pool, number, slot, words)
    standings = pool.book.standings
    voters = [number for number in words if standings[number].is_believed]
    verdict = judge(words, voters)
    for number in sorted(verdict.outvoted):
        pool.book.set_aside(
            number,
            OTHER_FORK,
            f"it has block {words[number]} in finalized slot {slot}, the majority has another: "
            "nothing it says is believed",
        )
    for number in sorted(verdict.believed):
        pool.book.believe_again(number, OTHER_FORK)
    _tell_dispute(pool, slot, words if verdict.is_tie else {})


async def _ask_block(pool: Pool, number: int, slot: Slot, words: dict[int, str | None]) -> None:
    options = {
        "commitment": "finalized",
        "transactionDetails": "none",
        "rewards": False,
        "maxSupportedTransactionVersion": 1,
    }
    question = Question(
        method="getBlock",
        params=(slot, options),
        parse=lambda found: str(found["blockhash"]),
        is_visit=True,
    )
    words[number] = None
    try:
        found = await pool.ask(number, question)
    except RpcFailure:
        return  # no history there: neither for nor against anybody
    words[number] = found


def _tell_dispute(pool: Pool, slot: Slot, words: dict[int, str | None]) -> None:
    if words:
        said = "; ".join(
            f"{pool.endpoints[number].name}: {word}" for number, word in sorted(words.items())
        )
        dispute = (
            f"endpoints have different blocks in finalized slot {slot} and none has a majority ({said}): "
            "nothing is signed until they agree; remove the wrong one from cluster.rpc_urls"
        )
        if pool.dispute is None:
            log.error("endpoints.disputed", reason=dispute)
        pool.dispute = dispute
    elif pool.dispute is not None:
        pool.dispute = None
        log.info("endpoints.agree_again", slot=slot)
