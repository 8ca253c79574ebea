"""RPC methods that read accounts and tokens."""

from typing import Final

from solders.account import Account
from solders.pubkey import Pubkey

from programs.localnet.account_json import AccountFilter, AccountView, parse_filters
from programs.localnet.chain_methods import with_context
from programs.localnet.node import Node
from programs.localnet.params import Params, as_config, parse_address
from programs.localnet.rpc_errors import invalid_params
from programs.localnet.tokens import TOKEN_PROGRAMS, find_mint, find_token_account, ui_amount
from programs.units import Slot

MULTIPLE_ACCOUNTS_MAX: Final = 100
"""Source: agave rpc-client-api MAX_MULTIPLE_ACCOUNTS."""


def get_balance(node: Node, params: Params) -> object:
    """Lamports of an account, 0 when there is none."""
    address = params.address()
    slot = params.config(1).slot(node)
    account = node.account_at(address, slot)
    return with_context(slot, 0 if account is None else account.lamports)


def get_account_info(node: Node, params: Params) -> object:
    """One account, or null."""
    address = params.address()
    config = params.config(1)
    view = AccountView.parse(config)
    slot = config.slot(node)
    return with_context(slot, render(node, slot, view, node.account_at(address, slot)))


def get_multiple_accounts(node: Node, params: Params) -> object:
    """Up to 100 accounts at one slot, each or null."""
    addresses = [parse_address(item) for item in params.items(0, MULTIPLE_ACCOUNTS_MAX)]
    config = params.config(1)
    view = AccountView.parse(config, "base64")
    slot = config.slot(node)
    values = [render(node, slot, view, node.account_at(address, slot)) for address in addresses]
    return with_context(slot, values)


def get_program_accounts(node: Node, params: Params) -> object:
    """The accounts of a program that pass every filter."""
    program = params.address()
    config = params.config(1)
    view = AccountView.parse(config)
    filters = parse_filters(config)
    slot = config.slot(node)
    owned = node.program_accounts_at(program, slot)
    values = keyed(node, slot, view, owned, filters)
    return with_context(slot, values) if config.flag("withContext") else values


def get_token_account_balance(node: Node, params: Params) -> object:
    """What a token account holds."""
    address = params.address()
    slot = params.config(1).slot(node)
    token = find_token_account(node.account_at(address, slot))
    mint = None if token is None else find_mint(node.account_at(token.mint, slot))
    if token is None or mint is None:
        raise invalid_params(f"{address} is not a Token account")
    return with_context(slot, ui_amount(token.amount, mint.decimals))


def get_token_supply(node: Node, params: Params) -> object:
    """How much of a mint exists."""
    address = params.address()
    slot = params.config(1).slot(node)
    mint = find_mint(node.account_at(address, slot))
    if mint is None:
        raise invalid_params(f"{address} is not a Token mint")
    return with_context(slot, ui_amount(mint.supply, mint.decimals))


def get_token_accounts_by_owner(node: Node, params: Params) -> object:
    """The token accounts of a wallet, of one mint or of one token program."""
    return _token_accounts(node, params, by_delegate=False)


def get_token_accounts_by_delegate(node: Node, params: Params) -> object:
    """The token accounts that a wallet may spend from as delegate."""
    return _token_accounts(node, params, by_delegate=True)


def get_token_largest_accounts(node: Node, params: Params) -> object:
    """The 20 accounts that hold most of a mint."""
    address = params.address()
    config = params.config(1)
    slot = config.slot(node)
    account = node.account_at(address, slot)
    mint = find_mint(account)
    if account is None or mint is None:
        raise invalid_params(f"{address} is not a Token mint")
    held: list[tuple[int, str]] = []
    for holder, holding in node.program_accounts_at(account.owner, slot):
        token = find_token_account(holding)
        if token is not None and token.mint == address:
            held.append((token.amount, str(holder)))
    held.sort(key=lambda item: (-item[0], item[1]))
    return with_context(
        slot,
        [{"address": holder, **ui_amount(amount, mint.decimals)} for amount, holder in held[:20]],
    )


def _token_accounts(node: Node, params: Params, *, by_delegate: bool) -> object:
    wallet = params.address()
    wanted = as_config(params.get(1), "parameter 2")
    config = params.config(2)
    view = AccountView.parse(config)
    slot = config.slot(node)
    mint: Pubkey | None = None
    if wanted.get("mint") is not None:
        mint = parse_address(wanted.get("mint"), "mint")
        account = node.account_at(mint, slot)
        if account is None or find_mint(account) is None:
            raise invalid_params("could not find mint")
        program = account.owner
    else:
        program = parse_address(wanted.get("programId"), "programId")
        if program not in TOKEN_PROGRAMS:
            raise invalid_params("unrecognized Token program id")
    found: list[tuple[Pubkey, Account]] = []
    for address, account in node.program_accounts_at(program, slot):
        token = find_token_account(account)
        if token is None or mint not in {None, token.mint}:
            continue
        if wallet == (token.delegate if by_delegate else token.owner):
            found.append((address, account))
    return with_context(slot, keyed(node, slot, view, found, []))


def render(
    node: Node, slot: Slot, view: AccountView, account: Account | None
) -> dict[str, object] | None:
    """Write an account as of `slot`, or null."""
    if account is None:
        return None
    return view.render(account, lambda address: node.account_at(address, slot))


def keyed(
    node: Node,
    slot: Slot,
    view: AccountView,
    accounts: list[tuple[Pubkey, Account]],
    filters: list[AccountFilter],
) -> list[dict[str, object]]:
    """Write those accounts that pass every filter, each with its address."""
    return [
        {"pubkey": str(address), "account": render(node, slot, view, account)}
        for address, account in accounts
        if not filters or passes(account.data, filters)
    ]


def passes(data: bytes, filters: list[AccountFilter]) -> bool:
    """Whether account data passes every filter."""
    return all(accepts(data) for accepts in filters)
