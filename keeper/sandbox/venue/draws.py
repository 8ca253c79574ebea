"""Random-looking numbers that are pure functions of what they decide: the same seed gives the same venue, anywhere.

Core. A generator would make every number depend on how many were drawn before; a hash does not.
"""

from hashlib import blake2b


def draw_bytes(count: int, *names: object) -> bytes:
    """Return `count` (at most 64) uniform bytes decided by the names."""
    text = "/".join(str(name) for name in names)
    return blake2b(text.encode(), digest_size=count).digest()


def draw_below(limit: int, *names: object) -> int:
    """Return an integer in [0, limit); its bias is below limit / 2**64."""
    return int.from_bytes(draw_bytes(8, *names), "big") % limit


def draw_normal_e3(*names: object) -> int:
    """Return a standard normal draw in thousandths: the sum of twelve uniform draws, within ±6_000."""
    drawn = draw_bytes(24, *names)
    total = sum(int.from_bytes(drawn[at : at + 2], "big") for at in range(0, 24, 2))
    # Twelve uniforms on [0, 65_536): mean 6 * 65_536, standard deviation 65_536.
    return (total - 6 * 65_535) * 1_000 // 65_536
