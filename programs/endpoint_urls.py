"""URLs of endpoints: which are ones, and what of them may be shown.

Core. Providers put their keys in the path, the query and the user part; so a message about a URL has its scheme, host and port.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.ASCII)
_DOTTED: Final = re.compile(r"[\d.]+", re.ASCII)
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f]")


def check_url(url: str, *schemes: str) -> str:
    """Return a URL that has one of these schemes and a host.

    Raises:
        ValueError: it has not; the sentence has nothing of it.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in schemes and _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or _BLANK.search(url):
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        article = "an" if wanted.startswith("http") else "a"
        raise ValueError(f"expected {article} {wanted} URL") from None
    return url


def _is_host(host: str) -> bool:
    """Tell whether there is a host, and an address or a name that can be looked up: HTTP clients raise errors of their own on others.

    Raises:
        ValueError: it is neither.
    """
    if ":" in host or _DOTTED.fullmatch(host):
        return bool(ipaddress.ip_address(host))
    # Names are looked up label by label, each of 1 to 63 characters; foreign scripts are written in Punycode.
    return bool(host.encode("idna").decode("idna"))


def shown_url(url: str) -> str:
    """Return scheme, host and port; how long it is, where these cannot be told from what is secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return unshown(url)
    # Behind a slash in a password all that seems to be the host is the user's name.
    beyond = url.partition(parts.netloc)[2] if parts.netloc else url
    if not parts.scheme or not _HOST.fullmatch(host) or "@" in beyond or _BLANK.search(url):
        return unshown(url)
    host = f"[{host}]" if ":" in host else host
    is_more = bool(parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{'/…' if is_more else ''}"


def unshown(text: str) -> str:
    """Return what may be said of a text that may be secret."""
    return f"a text of {len(text)} characters"
