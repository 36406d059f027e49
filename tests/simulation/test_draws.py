"""Distributions: their texts, what they give, and what is no distribution."""

from __future__ import annotations

import pytest

from holdpoint.engine.errors import Invalid
from holdpoint.simulation.draws import (
    Stream,
    of_censored,
    of_sample,
    parse_distribution,
    pick,
)

EVENLY = [(number + 0.5) / 10_000 for number in range(10_000)]


@pytest.mark.parametrize(
    "text", ["2m", "0s", "exp(5m)", "lognormal(10m, 1h)", "uniform(1m, 5m)", "quantiles(1m, 2m, 9m)"]
)
def test_a_distribution_reads_back_as_it_is_written(text: str) -> None:
    assert str(parse_distribution(text)) == text
    assert str(parse_distribution(str(parse_distribution(text)))) == text


@pytest.mark.parametrize("text", ["2m", "exp(5m)", "lognormal(10m, 30m)", "uniform(1m, 5m)", "quantiles(1m, 2m, 9m)"])
def test_the_mean_is_that_of_what_is_drawn(text: str) -> None:
    found = parse_distribution(text)

    assert sum(found.at(number) for number in EVENLY) / len(EVENLY) == pytest.approx(found.mean, rel=0.01)


def test_a_lognormal_has_the_median_and_the_90th_percentile_that_it_names() -> None:
    found = parse_distribution("lognormal(10m, 1h)")

    assert found.at(0.5) == pytest.approx(600)
    assert found.at(0.9) == pytest.approx(3_600)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(5, "is a text", id="a number"),
        pytest.param("exp(5)", "'5' is not a duration", id="without a unit"),
        pytest.param("exp(0s)", "more than nothing", id="zero"),
        pytest.param("normal(1m, 2m)", "there is no distribution 'normal'", id="unknown"),
        pytest.param("lognormal(10m)", "the median and the 90th percentile", id="one too few"),
        pytest.param("uniform(5m, 1m)", "the shortest first", id="the wrong way round"),
        pytest.param("quantiles(5m)", "the shortest first", id="one quantile"),
    ],
)
def test_what_is_no_distribution_is_refused(text: object, said: str) -> None:
    with pytest.raises(Invalid, match=said.replace("(", r"\(")):
        parse_distribution(text)


def test_a_number_depends_on_what_it_is_for_and_on_nothing_else() -> None:
    stream, again, other = Stream(1, 0), Stream(1, 0), Stream(1, 1)
    again.uniform("something before")

    assert stream.uniform("a") == again.uniform("a")
    assert stream.uniform("a") != stream.uniform("b")
    assert stream.uniform("a") != other.uniform("a")


def test_numbers_are_spread_evenly() -> None:
    stream = Stream(7, 3)
    numbers = sorted(stream.uniform(str(number)) for number in range(10_000))

    distance = max(abs(number - (rank + 0.5) / 10_000) for rank, number in enumerate(numbers))

    assert numbers[0] > 0
    assert numbers[-1] < 1
    assert distance < 0.02  # Kolmogorov and Smirnov: 0.0163 is passed by one seed in a hundred, and this one is fixed


def test_a_sample_gives_what_was_in_it() -> None:
    found = of_sample([60.0, 120.0, 180.0])

    assert [found.at(share) for share in (0.0, 0.5, 0.999999)] == [60, 120, pytest.approx(180, abs=0.01)]
    assert of_sample([42.0]).at(0.3) == 42


def test_what_was_cut_short_counts_as_longer_than_that() -> None:
    found = of_censored([10.0, 20.0], [15.0, 15.0])

    # Kaplan and Meier by hand: a quarter by 10; then of one left at 20 all, so that the rest lasts 20.
    assert [round(found.at(share)) for share in (0.1, 0.2, 0.4, 0.9)] == [10, 10, 20, 20]


def test_what_never_ended_lasts_beyond_all_that_was_seen() -> None:
    found = of_censored([10.0], [50.0])

    assert (round(found.at(0.3)), round(found.at(0.8))) == (10, 500)


def test_a_weight_says_how_often_something_is_picked() -> None:
    picked = [pick([1, 0, 3], number) for number in EVENLY]

    assert {index: picked.count(index) for index in range(3)} == {0: 2_500, 1: 0, 2: 7_500}
