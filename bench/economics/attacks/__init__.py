"""Ways to take money out of the platform, each tried through the real program: none may pay.

An attack founds a platform per variant. The attacker is alone on it but for the keeper, so nobody else's trade pays
him; his profit is what his wallets hold at the end, everything closed that can be, less what they held at the start.
"""
