"""The program's arithmetic compiled for this machine, so that tests can call the C beside the Python.

The exports below are the only C that is not on chain: each one passes a struct by parts, for ctypes.
"""

import ctypes
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "programs" / "betting_platform"

EXPORTS = r"""
#include "curve.h"
#include "risk.h"
#define E __attribute__((visibility("default")))
E u32 x_mul_div(u64 a, u64 b, u64 d, u32 up, u64 *out) { return mul_div(a, b, d, up != 0, out); }
E i64 x_u(u64 l, i64 q) { struct curve c = {l, q}; return curve_u(&c); }
E u64 x_g(i64 u) { return curve_g(u); }
E u64 x_price_e18(i64 u) { return curve_price_e18(u); }
E u64 x_price_e6(i64 u) { return curve_price_e6(u); }
E u64 x_density_e18(i64 u) { return curve_density_e18(u); }
E i64 x_u_of_price(u32 p) { return curve_u_of_price_e6(p); }
E u32 x_buy_shares(u64 l, i64 q, u32 side, u64 n, u64 *out) {
    struct curve c = {l, q};
    return curve_buy_shares(&c, side, n, out);
}
E u32 x_sell_shares(u64 l, i64 q, u32 side, u64 n, u64 *out) {
    struct curve c = {l, q};
    return curve_sell_shares(&c, side, n, out);
}
E u32 x_buy_cash(u64 l, i64 q, u32 side, u64 cash, u64 *out) {
    struct curve c = {l, q};
    u32 iterations;
    u32 status = curve_buy_cash(&c, side, cash, out, &iterations);
    out[1] = iterations;
    return status;
}
E u32 x_shares_to_price(u64 l, i64 q, u32 side, u64 p, u64 *out) {
    struct curve c = {l, q};
    return curve_shares_to_price(&c, side, (u32)p, out);
}
E u32 x_add_liquidity(u64 l, i64 q, u32 p, u64 delta, u64 *out) {
    struct curve c = {l, q};
    struct curve_added added = {0, 0, 0, 0};
    u32 status = curve_add_liquidity(&c, &delta, p, &added);
    out[0] = added.cash; out[1] = added.surplus_yes; out[2] = added.surplus_no; out[3] = (u64)added.q;
    return status;
}
E u32 x_remove_liquidity(u64 l, i64 q, u32 unused, u64 delta, u64 *out) {
    struct curve c = {l, q};
    struct curve_removed removed = {0, 0, 0};
    (void)unused;
    u32 status = curve_remove_liquidity(&c, delta, &removed);
    out[0] = removed.yes; out[1] = removed.no; out[2] = (u64)removed.q;
    return status;
}
E u64 x_liquidity_value(i64 u, u64 delta) { struct curve_point at; curve_point_of(u, &at); return curve_liquidity_value(&at, delta); }
E u64 x_impact_e9(i64 u, u64 l) { struct curve_point at; curve_point_of(u, &at); return curve_impact_e9(&at, l); }
E u64 x_improvement_bps(i64 u, u64 before, u64 after) { struct curve_point at; curve_point_of(u, &at); return curve_improvement_bps(&at, before, after); }
E u64 x_fee_rate_ubp(u64 coverage) { return fee_rate_ubp(coverage); }
E u32 x_fee_amount(u64 notional, u64 rate, u64 *out) { return fee_amount(notional, rate, out); }
E u64 x_coverage_e6(u64 cash, u64 high, u64 low) {
    u128 weighted = (u128)high << 64 | low;
    return coverage_e6(cash, &weighted);
}
E u64 x_weigh_debt(u64 *sum, u64 debt, u32 outcomes, u32 repaid) {
    u128 weighted = (u128)sum[1] << 64 | sum[0];
    weigh_debt(&weighted, debt, outcomes, repaid != 0);
    sum[0] = (u64)weighted; sum[1] = (u64)(weighted >> 64);
    return 0;
}
E u64 x_tier_cap(u32 outcomes) { return tier_cap(outcomes); }
E u64 x_tail_loss_e6(u32 outcomes) { return tail_loss_e6(outcomes); }
E u64 x_leverage_max(u64 coverage, u32 outcomes, u64 equity) { return leverage_max(coverage, outcomes, equity); }
E u64 x_required_margin(u64 margin, u64 shares, u32 mm) { return required_margin(margin, shares, mm); }
E i64 x_position_equity(u64 s, u64 p, u64 d) { return position_equity(s, p, d); }
E i64 x_health_bps(u64 s, u64 p, u64 d, u64 r) { return health_bps(s, p, d, r); }
E u64 x_liquidation_cap_e6(u64 sigma) { return liquidation_cap_e6(sigma); }
E u64 x_liquidation_cap(u64 oi, u64 sigma) { return liquidation_cap(oi, sigma); }
E u64 x_sigma_next_e6(u64 sigma, u32 a, u32 b) { return sigma_next_e6(sigma, a, b); }

/* The loops a sceptic wants in millions; Python would take minutes. They return the first counterexample or 0. */
E i64 x_g_is_monotone(i64 from, u64 count, i64 stride) {
    for (u64 i = 0; i < count; i++) {
        i64 u = from + (i64)i * stride;
        u64 a = curve_g(u), b = curve_g(u + 1);
        if (b < a || b - a > 1) return u ? u : 1;
    }
    return 0;
}
E u64 x_fee_is_monotone(u64 from, u64 to) {
    u64 before = fee_rate_ubp(from);
    for (u64 c = from + 1; c <= to; c++) {
        u64 rate = fee_rate_ubp(c);
        if (rate > before) return c;
        before = rate;
    }
    return 0;
}
"""

U64, I64, U32 = ctypes.c_uint64, ctypes.c_int64, ctypes.c_uint32
OUT = ctypes.POINTER(ctypes.c_uint64)
POOL = (U64, I64, U32, U64, OUT)

SIGNATURES: dict[str, tuple[type, tuple[type, ...]]] = {
    "mul_div": (U32, (U64, U64, U64, U32, OUT)),
    "u": (I64, (U64, I64)),
    "g": (U64, (I64,)),
    "price_e18": (U64, (I64,)),
    "price_e6": (U64, (I64,)),
    "density_e18": (U64, (I64,)),
    "u_of_price": (I64, (U32,)),
    "buy_shares": (U32, POOL),
    "sell_shares": (U32, POOL),
    "buy_cash": (U32, POOL),
    "shares_to_price": (U32, POOL),
    "add_liquidity": (U32, POOL),
    "remove_liquidity": (U32, POOL),
    "liquidity_value": (U64, (I64, U64)),
    "impact_e9": (U64, (I64, U64)),
    "improvement_bps": (U64, (I64, U64, U64)),
    "fee_rate_ubp": (U64, (U64,)),
    "fee_amount": (U32, (U64, U64, OUT)),
    "coverage_e6": (U64, (U64, U64, U64)),
    "weigh_debt": (U64, (OUT, U64, U32, U32)),
    "tier_cap": (U64, (U32,)),
    "tail_loss_e6": (U64, (U32,)),
    "leverage_max": (U64, (U64, U32, U64)),
    "required_margin": (U64, (U64, U64, U32)),
    "position_equity": (I64, (U64, U64, U64)),
    "health_bps": (I64, (U64, U64, U64, U64)),
    "liquidation_cap_e6": (U64, (U64,)),
    "liquidation_cap": (U64, (U64, U64)),
    "sigma_next_e6": (U64, (U64, U32, U32)),
    "g_is_monotone": (I64, (I64, U64, I64)),
    "fee_is_monotone": (U64, (U64, U64)),
}

BPF_FLAGS = (  # as the program is built
    *(
        "-target",
        "bpfel-freestanding",
        "-mcpu=v2",
        "-Oz",
        "-std=c11",
        "-ffreestanding",
        "-fno-builtin",
    ),
    *("-fno-sanitize=undefined", "-Wall", "-Wextra", "-Werror", "-mllvm", "-bpf-stack-size=4096"),
)
NATIVE_FLAGS = ("-shared", "-fPIC", "-O2", "-std=c11", "-Wall", "-Wextra", "-Werror")
# Natively undefined behaviour is not forgiven: it traps.
CHECKED_FLAGS = ("-fsanitize=undefined", "-fsanitize-trap=undefined")


def compile_c(source: Path, output: Path, flags: tuple[str, ...]) -> None:
    """Run the compiler the program is built with."""
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        *flags,
        f"-I{SOURCE}",
        str(source),
        "-o",
        str(output),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)


def load_arithmetic(folder: Path) -> dict[str, "ctypes._NamedFuncPointer"]:
    """Compile the headers into a shared library in the folder and return its functions by name."""
    source, library = folder / "native.c", folder / "native.so"
    source.write_text(EXPORTS, "ascii")
    compile_c(source, library, (*NATIVE_FLAGS, *CHECKED_FLAGS))
    loaded = ctypes.CDLL(str(library))
    functions = {}
    for name, (result, arguments) in SIGNATURES.items():
        function = loaded[f"x_{name}"]
        function.restype, function.argtypes = result, arguments
        functions[name] = function
    return functions
