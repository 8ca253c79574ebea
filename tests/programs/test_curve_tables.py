"""What the head of normal.h claims of g, Phi and phi, against mpmath and exhaustively at the joints."""

from dataclasses import replace
from random import Random

from mpmath import mp, mpf

from programs import normal
from programs.betting_platform import make_tables
from programs.tables import PIECES, U_MAX

PIECE = make_tables.PIECE


def probe_points(count: int) -> list[int]:
    """Random u, and both ends of every piece, where a fit is worst."""
    rng = Random(5)
    points = [rng.randint(-U_MAX, U_MAX) for _ in range(count)]
    for index in range(len(PIECES)):
        points += [index * PIECE, -index * PIECE, min((index + 1) * PIECE - 1, U_MAX)]
    return points


def test_g_is_within_seven_tenths_of_a_quantum():
    for u in probe_points(1_500):
        x = mpf(u) / 10**18
        exact = x * make_tables.normal_cdf(x) + make_tables.normal_density(x)
        assert abs(normal.g(u) - exact * 10**18) < 0.7, u


def test_price_is_within_its_bound():
    for u in probe_points(1_500):
        exact = make_tables.normal_cdf(mpf(u) / 10**18) * 10**18
        assert abs(normal.price_e18(u) - exact) < normal.P_ERROR, u


def test_density_is_within_its_bound():
    for u in probe_points(1_000):
        exact = make_tables.normal_density(mpf(u) / 10**18) * 10**18
        assert abs(normal.density_e18(u) - exact) < 10**6, u


def test_the_coordinate_of_a_price_is_within_its_bound():
    rng = Random(6)
    for price_e6 in (
        1_001,
        1_002,
        499_999,
        500_001,
        *(rng.randint(1_000, 999_000) for _ in range(300)),
    ):
        exact = mp.sqrt(2) * mp.erfinv(2 * mpf(price_e6) / 10**6 - 1) * 10**18
        assert abs(normal.u_of_price(price_e6) - exact) < normal.U_ERROR, price_e6


def test_the_dearest_price_is_within_the_range_and_the_next_u_is_too():
    assert make_tables.normal_cdf(mpf(U_MAX + 1) / 10**18) <= mpf(999) / 1000
    assert make_tables.normal_cdf(mpf(U_MAX + 3) / 10**18) > mpf(999) / 1000


def test_g_rises_by_zero_or_one_per_quantum_across_every_joint(native):
    for joint in range(len(PIECES)):
        for sign in (-1, 1):
            assert native["g_is_monotone"](sign * joint * PIECE - 2_000, 4_000, 1) == 0, joint


def test_g_rises_by_zero_or_one_per_quantum_at_a_million_other_places(native):
    stride = 2 * U_MAX // 1_000_000
    assert native["g_is_monotone"](-U_MAX, 1_000_000, stride) == 0


def test_the_generator_refuses_pieces_that_do_not_meet():
    first, second = make_tables.make_piece(3), make_tables.make_piece(4)
    make_tables.prove_monotone(first, second, PIECE)
    for broken in (
        replace(first, edge=first.edge + 40),
        replace(first, slope=2**65),
        replace(first, slope=2**56, bend=(1 << 66, *first.bend[1:])),
    ):
        try:
            make_tables.prove_monotone(broken, second, PIECE)
        except ValueError:
            continue
        raise AssertionError(broken)


def test_the_committed_tables_are_what_the_generator_computes():
    assert make_tables.main(["--check"]) == 0


def test_a_stale_table_is_named_by_the_check_and_rewritten_without_it(tmp_path, capsys):
    files = {"c_file": tmp_path / "tables.h", "python_file": tmp_path / "tables.py"}
    files["c_file"].write_text("old", "ascii")
    assert make_tables.main(["--check"], **files) == 1
    assert "tables.h and tables.py differ" in capsys.readouterr().err
    assert make_tables.main([], **files) == 0
    assert make_tables.main(["--check"], **files) == 0
