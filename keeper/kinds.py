"""How accounts of one kind are asked for.

Core.
"""

from base64 import b64encode

from programs.layout import AccountKind
from programs.rpc import Filter


def kind_filter(kind: AccountKind) -> Filter:
    """Return the filter for accounts of one kind: an account's first byte."""
    encoded = b64encode(bytes([kind])).decode()
    return {"memcmp": {"offset": 0, "bytes": encoded, "encoding": "base64"}}
