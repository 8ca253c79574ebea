"""keeper/monitor/sightings.py: who speaks, who is silent, who died."""

from keeper.monitor.sightings import UNSEEN_GRACE_S, Sightings
from keeper.monitor.view import SILENT_S, View
from state import metrics as m
from state.sample import Figures, Sample


def said(sequence=1, *, is_last=False, service="keeper"):
    figures = Figures()
    figures.put(m.COVERAGE, 0.5)
    return Sample(service=service, sequence=sequence, is_last=is_last, figures=figures.values)


def put(sightings, now_s):
    figures = Figures()
    sightings.put(figures, now_s)
    return {name: value for (name, _labels), value in figures.values.items()}


def test_a_service_that_speaks_is_up_and_its_figures_are_the_present():
    sightings = Sightings(("keeper",), 0.0)
    sightings.hear(said(), 10.0)
    view = View(wall_s=0, now_s=11, samples=sightings.seen(11.0))
    assert 0.5 == view.get(m.COVERAGE)
    assert {"service_is_up": 1, "service_silent_seconds": 1, "service_has_failed": 0} == put(
        sightings, 11.0
    )


def test_silence_without_a_last_word_is_a_failure_and_the_last_figures_are_not_the_present():
    sightings = Sightings(("keeper",), 0.0)
    sightings.hear(said(), 10.0)
    now_s = 10.1 + SILENT_S
    view = View(wall_s=0, now_s=now_s, samples=sightings.seen(now_s))
    assert view.get(m.COVERAGE) is None
    assert [] == list(view.of(m.COVERAGE))
    assert view.sample("keeper") is None
    assert 1 == put(sightings, now_s)["service_has_failed"]


def test_a_service_that_speaks_again_has_not_failed_any_more():
    sightings = Sightings(("keeper",), 0.0)
    sightings.hear(said(40), 10.0)
    assert sightings.has_failed("keeper", 60.0)
    assert 1 == sightings.processes("keeper")
    sightings.hear(said(1), 61.0)
    assert 2 == sightings.processes("keeper")
    assert not sightings.has_failed("keeper", 61.0)


def test_silence_after_a_last_word_is_no_failure():
    sightings = Sightings(("keeper",), 0.0)
    sightings.hear(said(is_last=True), 10.0)
    assert sightings.has_stopped("keeper")
    assert {"service_is_up": 0, "service_silent_seconds": 900, "service_has_failed": 0} == put(
        sightings, 910.0
    )


def test_a_socket_that_a_dead_service_left_is_a_failure_once_a_start_would_be_over():
    left = Sightings(("keeper",), 0.0, frozenset({"keeper"}))
    assert not left.has_failed("keeper", UNSEEN_GRACE_S)
    assert left.has_failed("keeper", UNSEEN_GRACE_S + 1)
    stopped = Sightings(("keeper",), 0.0)
    assert not stopped.has_failed("keeper", 1_000.0)


def test_strangers_are_not_heard():
    sightings = Sightings(("keeper",), 0.0)
    sightings.hear(said(service="somebody"), 1.0)
    assert {} == sightings.seen(1.0)
    assert ("keeper",) == sightings.unheard()
