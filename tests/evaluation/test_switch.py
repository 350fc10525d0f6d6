"""Where the choice between two models is best made."""

import pytest

from scales_cli.evaluation.degradations import KnownDegradation
from scales_cli.evaluation.degraded import DegradedReport, Quality
from scales_cli.evaluation.switch import NEVER, Trial, kinds, switches, trials

QUALITY = Quality(30, 0.9, None, 0, 1, None)
TRIALS = [
    Trial("clean", "a", 0.0, 2.0, 1.0),
    Trial("q85", "a", 0.2, 1.0, 0.8),
    Trial("q85", "b", 0.2, -0.1, 0.4),
    Trial("q30", "a", 0.93, 0.1, 0.5),
]


def test_trials_pair_the_gains_of_both_models():
    def report(gain, strength):
        return DegradedReport(KnownDegradation("q60"), QUALITY, QUALITY, {"a": gain}, {"a": "m"}, {"a": strength})

    assert trials([report(0.5, None)], [report(0.75, 0.25)]) == [Trial("q60", "a", 0.25, 0.5, 0.75)]


def test_kinds_are_means_of_a_degradation():
    clean, q85, q30 = kinds(TRIALS)
    assert (clean.degradation, clean.clean, clean.mending) == ("clean", 2.0, 1.0)
    assert (q85.strength, q85.clean, q85.mending) == (0.2, pytest.approx(0.45), pytest.approx(0.6))
    assert q30.strength == 0.93


def test_switches_send_every_picture_where_they_say():
    found = {switch.auto_from: switch for switch in switches(TRIALS)}
    assert found[0.2].mean == pytest.approx((2.0 + 0.8 + 0.4 + 0.5) / 4)
    assert (found[0.2].below, found[0.2].least, found[0.2].of) == (0, 0.4, "b, q85")
    assert found[0.22].mean == pytest.approx((2.0 + 1.0 - 0.1 + 0.5) / 4)
    assert (found[0.22].below, found[0.22].least, found[0.22].of) == (1, -0.1, "b, q85")
    assert found[NEVER].mean == pytest.approx((2.0 + 1.0 - 0.1 + 0.1) / 4)
