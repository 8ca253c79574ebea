"""A TLS certificate that nobody has signed but itself, made anew for each drill: what a stranger on the wire presents.

Core, but for the key. Written out as DER by hand, with solders' Ed25519: a certificate that must not be trusted needs no library.
Source: RFC 5280 (certificates), RFC 8410 (Ed25519 in them), RFC 8410 section 7 (its private keys).
"""

from base64 import encodebytes
from dataclasses import dataclass
from typing import Final

from solders.keypair import Keypair

_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_INTEGER: Final = 0x02
_BIT_STRING: Final = 0x03
_OCTET_STRING: Final = 0x04
_UTF8: Final = 0x0C
_UTC_TIME: Final = 0x17
_VERSION_TAG: Final = 0xA0
_LONG_FROM: Final = 0x80
_ED25519: Final = bytes.fromhex("06032b6570")
"""OBJECT IDENTIFIER 1.3.101.112."""
_COMMON_NAME: Final = bytes.fromhex("0603550403")
"""OBJECT IDENTIFIER 2.5.4.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfSigned:
    """A certificate and its key, PEM."""

    certificate: str
    key: str


def self_signed(name: str, keypair: Keypair) -> SelfSigned:
    """Make a certificate for a name, valid until 2049, signed with its own key."""
    algorithm = _der(_SEQUENCE, _ED25519)
    who = _der(_SEQUENCE, _der(_SET, _der(_SEQUENCE, _COMMON_NAME + _der(_UTF8, name.encode()))))
    validity = _der(
        _SEQUENCE, _der(_UTC_TIME, b"200101000000Z") + _der(_UTC_TIME, b"491231235959Z")
    )
    public = _der(_SEQUENCE, algorithm + _der(_BIT_STRING, b"\0" + bytes(keypair.pubkey())))
    version = _der(_VERSION_TAG, _der(_INTEGER, b"\x02"))
    body = _der(
        _SEQUENCE, version + _der(_INTEGER, b"\x01") + algorithm + who + validity + who + public
    )
    signature = _der(_BIT_STRING, b"\0" + bytes(keypair.sign_message(body)))
    seed = _der(_OCTET_STRING, _der(_OCTET_STRING, bytes(keypair)[:32]))
    return SelfSigned(
        certificate=_pem("CERTIFICATE", _der(_SEQUENCE, body + algorithm + signature)),
        key=_pem("PRIVATE KEY", _der(_SEQUENCE, _der(_INTEGER, b"\0") + algorithm + seed)),
    )


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < _LONG_FROM:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, _LONG_FROM | len(size)]) + size + content


def _pem(label: str, data: bytes) -> str:
    return f"-----BEGIN {label}-----\n{encodebytes(data).decode()}-----END {label}-----\n"
