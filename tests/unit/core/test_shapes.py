"""Distributions of durations as a person writes them."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.core.learned.grid import BEYOND, bin_of
from orchestrator.core.learned.shapes import mean_of, shape_of
from orchestrator.errors import RequestError


@pytest.mark.parametrize(
    ("text", "mean"),
    [
        ("normal:90:8", 90.0),
        ("90±8", 90.0),
        (" 90 +- 8 ", 90.0),
        ("90", 90.0),
        ("exactly:90", 90.0),
        ("Normal:90:0", 90.0),
        ("uniform:0:300", 150.0),
        ("lognormal:60:0.5", 60.0 * np.exp(0.125)),
        ("mix:0.5*normal:40:4+0.5*normal:240:24", 140.0),
        ("mix:3*40±4 + 1*240±24", 90.0),
        ("mix:1*exactly:1e+2+1*exactly:50", 75.0),
    ],
)
def test_a_shape_has_its_mean_and_all_of_its_mass(text: str, mean: float) -> None:
    shape = shape_of(text)
    assert shape.sum() == pytest.approx(1.0)
    assert (shape >= 0).all()
    assert mean_of(shape) == pytest.approx(mean, rel=0.02)


def test_the_share_below_an_age_is_that_of_the_distribution() -> None:
    below = np.cumsum(shape_of("lognormal:60:0.5"))
    assert below[bin_of(60.0)] == pytest.approx(0.5, abs=0.05)
    below = np.cumsum(shape_of("normal:5:10"))  # what would be before zero is left out
    assert below[bin_of(5.0)] == pytest.approx((0.5 - 0.3085) / (1 - 0.3085), abs=0.05)


def test_what_takes_longer_than_two_days_is_beyond() -> None:
    assert shape_of("lognormal:172800:1")[BEYOND] == pytest.approx(0.5, abs=0.03)


def test_a_file_has_one_duration_a_line_and_may_have_remarks() -> None:
    files = {"took.txt": ["# of last week", "30", "30 # quick", "", "1.2e2"]}
    shape = shape_of("file:took.txt", files.__getitem__)
    assert shape[bin_of(30.0)] == pytest.approx(2 / 3)
    assert shape[bin_of(120.0)] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "its duration is ``, which is no number"),
        ("soon", "`soon`, which is no number"),
        ("weibull:1:2", "`weibull` is no shape"),
        ("normal:90", "it takes mean and deviation, and was given 1"),
        ("normal:90:8:7", "was given 3"),
        ("normal:ninety:8", "its mean is `ninety`, which is no number"),
        ("normal:nan:8", "which is no duration"),
        ("normal:-90:8", "its mean is -90, which is no duration"),
        ("exactly:inf", "which is no duration"),
        ("exactly:200000", "longer than two days"),
        ("normal:1e-300:1e300", "longer than two days"),
        ("lognormal:1e9:3", "longer than two days"),
        ("lognormal:0:1", "its median must be more than 0"),
        ("lognormal:60:0", "its sigma must be more than 0"),
        ("normal:0:3", "its mean must be more than 0"),
        ("uniform:300:0", "it ends before it begins"),
        ("mix:normal:40:4", "`normal:40:4` has no weight"),
        ("mix:0*normal:40:4", "its weights are 0 together"),
        ("mix:1e308*90+1e308*80", "its weights are inf together"),
        ("mix:1*" * 5_000 + "90", "a mix is not mixed again"),
        ("mix:", "`` has no weight"),
        ("file:took.txt", "no file is read here"),
    ],
)
def test_what_is_no_shape_is_refused_with_the_reason_and_examples(text: str, what: str) -> None:
    with pytest.raises(RequestError) as refused:
        shape_of(text)
    assert what in refused.value.message
    assert "lognormal:60:0.5" in refused.value.hint


def test_a_file_without_a_duration_and_one_with_rubbish_name_the_line() -> None:
    with pytest.raises(RequestError, match="no duration in it"):
        shape_of("file:empty", lambda _: ["# nothing"])
    with pytest.raises(RequestError, match="its line 2 is `x`"):
        shape_of("file:bad", lambda _: ["1", "x"])
