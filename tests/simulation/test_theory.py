"""The simulation against closed forms of queueing theory; longer runs are in benchmarks/simulate.py."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from holdpoint.simulation import queueing
from holdpoint.simulation.estimates import estimate, t_quantile


def _benchmark() -> Any:
    path = Path(__file__).parents[2] / "benchmarks" / "simulate.py"
    spec = importlib.util.spec_from_file_location("benchmark_simulate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["benchmark_simulate"] = module
    spec.loader.exec_module(module)
    return module


def test_waits_and_shares_are_those_of_theory() -> None:
    found = _benchmark().theory(days=6, replications=6, seed=1)

    assert {(line["queue"], line["of"]) for line in found if not line["is_inside"]} == set()
    assert len(found) == 8


def test_one_server_waits_as_the_textbook_says() -> None:
    assert queueing.mmc(0.5, 1, 1).wait == pytest.approx(1.0)
    assert queueing.mmc(1.5, 1, 2).wait == pytest.approx(9 / 7)  # Erlang C is 9/14, over 2 - 1.5


def test_an_unstable_queue_has_no_wait() -> None:
    with pytest.raises(ValueError, match="not stable"):
        queueing.mmc(2, 1, 2)


def test_boundless_patience_is_none() -> None:
    plain = queueing.mmc(1.5, 1, 2)

    assert queueing.mmc_deadline(1.5, 1, 2, 100).wait == pytest.approx(plain.wait, rel=1e-6)
    assert queueing.mmc_exponential(1.5, 1, 2, 1e6).wait == pytest.approx(plain.wait, rel=1e-3)
    assert queueing.mm1_finished_by(0.5, 1, 100).wait == pytest.approx(1.0)


def test_no_patience_is_erlangs_loss() -> None:
    # Erlang B of 2 servers and load 2: 2 / (1 + 2 + 2).
    assert queueing.mmc_deadline(2, 1, 2, 1e-9).leaving == pytest.approx(0.4)
    assert queueing.mmc_exponential(2, 1, 2, 1e-6).leaving == pytest.approx(0.4, abs=1e-4)


def test_patience_of_one_mean_service_keeps_every_server_of_its_own_queue() -> None:
    """M/M/c+M where patience is as long as service is M/M/inf: the number in the system is Poisson's."""
    found = queueing.mmc_exponential(3, 1, 2, 1)
    poisson = [math.exp(-3) * 3**number / math.factorial(number) for number in range(40)]
    waiting = sum((k - 2) * share for k, share in enumerate(poisson) if k > 2)

    assert found.wait == pytest.approx(waiting / 3, rel=1e-6)


def test_what_balances_is_the_limit_of_what_nearly_does() -> None:
    near = queueing.mmc_deadline(2 + 1e-7, 1, 2, 3)
    even = queueing.mmc_deadline(2, 1, 2, 3)

    assert even.wait == pytest.approx(near.wait, rel=1e-5)
    assert even.leaving == pytest.approx(near.leaving, rel=1e-5)
    assert queueing.mm1_finished_by(1, 1, 2).leaving == pytest.approx(1 / 3)


@pytest.mark.parametrize(("degrees", "expected"), [(1, 12.706), (2, 4.303), (3, 3.182), (9, 2.262), (30, 2.042)])
def test_students_quantiles_are_those_of_the_tables(degrees: int, expected: float) -> None:
    assert t_quantile(degrees) == pytest.approx(expected, abs=6e-4)


def test_an_interval_is_that_of_students_t() -> None:
    found = estimate([1.0, 2.0, 3.0])

    assert found.mean == 2.0
    assert found.high - found.mean == pytest.approx(4.303 / 3**0.5, abs=1e-3)
    assert estimate([5.0]).low == estimate([5.0]).high == 5.0
