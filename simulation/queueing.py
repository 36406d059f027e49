"""Closed forms of queueing theory: the yardstick that the simulation is held against.

Arrivals are a Poisson process of rate `arrival`, each of `servers` works at rate `service`, exponentially, first come,
first served. Rates are per second, times in seconds.

M/M/c is Erlang's. For customers who leave unless their service *begins* in time the forms are those of Baccelli and
Hebuterne ("On queues with impatient customers", Performance 1981) in the notation of Zeltyn and Mandelbaum ("Call
centers with impatient customers", Queueing Systems 51, 2005): with the patience's survival function S, its integral
H(x) from 0 to x and

    J  = integral of exp(arrival H(x) - servers service x) dx        JH = the same of H(x) exp(…) dx
    E  = the sum over j < servers of a^j / j!, divided by a^(servers-1) / (servers-1)!,    a = arrival / service

the probability to leave is (1 + (arrival - servers service) J) / (E + arrival J) and the mean wait of all, of those who
leave too, is arrival JH / (E + arrival J).

For a deadline that holds to the *end* of service, and one server, the unfinished work that a customer finds is that of
a dam of finite height: below the deadline it has the density p arrival exp((arrival - service) x) and the atom p at 0.
A customer who finds x misses it with probability exp(-service (deadline - x)); integrated, p exp((arrival - service)
deadline).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_STEPS = 20_000
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The mean time before service begins (of all, also of those who leave), and the share that leaves."""

    wait: float
    leaving: float = 0.0


def mmc(arrival: float, service: float, servers: int) -> Forecast:
    """M/M/c, stable: the wait of Erlang's C formula."""
    load = arrival / service
    if load >= servers:
        raise ValueError("the queue is not stable")
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    waiting = last / (sum(load**j / math.factorial(j) for j in range(servers)) + last)
    return Forecast(wait=waiting / (servers * service - arrival))


def mmc_deadline(arrival: float, service: float, servers: int, patience: float) -> Forecast:
    """M/M/c+D: who is not begun with after *patience* leaves."""
    slack = arrival - servers * service
    beyond = math.exp(slack * patience) / (servers * service)
    if slack:
        j = math.expm1(slack * patience) / slack + beyond
        jh = (patience * math.exp(slack * patience) - math.expm1(slack * patience) / slack) / slack + patience * beyond
    else:
        j, jh = patience + beyond, patience**2 / 2 + patience * beyond
    return _impatient(arrival, service, servers, j, jh)


def mmc_exponential(arrival: float, service: float, servers: int, patience: float) -> Forecast:
    """M/M/c+M, Erlang's A: who is not begun with leaves after an exponential time of mean *patience*."""

    def integrated(x: float) -> float:
        return -patience * math.expm1(-x / patience)

    def weight(x: float) -> float:
        return math.exp(arrival * integrated(x) - servers * service * x)

    end = 1 / (servers * service)
    while weight(end) > _NEGLIGIBLE:
        end *= 1.5
    j = _integral(weight, end)
    jh = _integral(lambda x: integrated(x) * weight(x), end)
    return _impatient(arrival, service, servers, j, jh)


def mm1_finished_by(arrival: float, service: float, deadline: float) -> Forecast:
    """M/M/1 whose customers leave, out of service too, unless it has ended after *deadline*."""
    slack = arrival - service
    growth = math.expm1(slack * deadline) / slack if slack else deadline
    idle = 1 / (1 + arrival * growth)
    inner = (deadline * math.exp(slack * deadline) - growth) / slack if slack else deadline**2 / 2
    return Forecast(wait=idle * arrival * inner, leaving=idle * math.exp(slack * deadline))


def _impatient(arrival: float, service: float, servers: int, j: float, jh: float) -> Forecast:
    load = arrival / service
    terms = sum(load**k / math.factorial(k) for k in range(servers))
    e = terms / (load ** (servers - 1) / math.factorial(servers - 1))
    total = e + arrival * j
    return Forecast(wait=arrival * jh / total, leaving=(1 + (arrival - servers * service) * j) / total)


def _integral(of: Callable[[float], float], end: float) -> float:
    """From 0 to *end*, by Simpson's rule."""
    width = end / _STEPS
    inner = sum((4 if index % 2 else 2) * of(index * width) for index in range(1, _STEPS))
    return (of(0.0) + inner + of(end)) * width / 3
