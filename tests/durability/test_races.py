"""Several processes want the same thing at the same moment: one gets it, and the others learn who."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

import holdpoint

if TYPE_CHECKING:
    from tests.durability.conftest import Answer, Call, World

ROUNDS = int(os.environ.get("HOLDPOINT_RACE_ROUNDS", "1000"))
SEED = int(os.environ.get("HOLDPOINT_SEED", "1"))
MOMENT = timedelta(microseconds=1)

GATE = """\
workflow: gate
states:
  gate: {type: approval, on: {approve: approved, reject: rejected}, timeout: 30m, default: reject}
  approved: {type: end}
  rejected: {type: end, outcome: failure}
"""
WORK = """\
workflow: work
states:
  work: {type: agent, python: "actor:work", after_crash: retry, next: worked}
  worked: {type: end, output: "{{ work }}"}
"""


def _start(world: World, definition: holdpoint.Definition) -> holdpoint.Run:
    return world.engine.start(definition, advance=False)


# --- people against people --------------------------------------------------------------------------------------------


def test_of_eight_who_decide_at_once_one_wins_and_the_others_learn_who(world: World, call: type[Call]) -> None:
    definition = holdpoint.loads(GATE)
    actors = world.actors(8)
    wins: Counter[str] = Counter()

    for number in range(ROUNDS):
        request = _start(world, definition).requests[0]
        calls = [
            call(
                method="decide",
                args=[request.id, "approve" if place % 2 else "reject"],
                options={"by": f"person-{place}"},
                times=[world.clock()],
            )
            for place in range(len(actors))
        ]
        answers = world.at_once(actors, calls)

        wins[_winner(world, request, answers, number)] += 1

    assert wins.total() == ROUNDS
    assert len(wins) > 1, "one process is always first: this is no race"


def _winner(world: World, request: holdpoint.Request, answers: list[Answer], number: int) -> str:
    decided = world.entries(request.run, "request.decided", "request.expired")
    winners = [f"person-{place}" for place, answer in enumerate(answers) if answer.error is None]
    losers = [answer for answer in answers if answer.error is not None]
    assert [entry.actor for entry in decided] == winners, f"round {number}: {answers}"
    assert len(winners) == 1
    for answer in losers:
        assert (answer.error, answer.code) == ("Conflict", "already_decided"), f"round {number}: {answer}"
        assert answer.details["decision"]["by"] == winners[0]
        assert answer.details["decision"]["decision"] == decided[0].data["decision"]
    assert len(world.entries(request.run, "decision.refused")) == len(losers)
    assert len(world.entries(request.run, "transition", "run.ended")) == 2
    return winners[0]


@pytest.mark.parametrize("key", [pytest.param(None, id="without a key"), pytest.param("k", id="with a key")])
def test_one_decision_sent_twice_at_once_is_taken_once(world: World, call: type[Call], key: str | None) -> None:
    definition = holdpoint.loads(GATE)
    actors = world.actors(2)

    for number in range(max(1, ROUNDS // 10)):
        request = _start(world, definition).requests[0]
        decide = call(
            method="decide",
            args=[request.id, "approve"],
            options={"by": "ann", "comment": "yes", "key": key},
            times=[world.clock()],
        )
        answers = world.at_once(actors, [decide, decide])

        assert [answer.error for answer in answers] == [None, None], f"round {number}: {answers}"
        assert sorted(answer.value["replayed"] for answer in answers) == [False, True]
        assert len(world.entries(request.run, "request.decided")) == 1
        assert world.entries(request.run, "decision.refused") == []


def test_one_start_sent_twice_at_once_with_a_key_is_one_run(world: World, call: type[Call]) -> None:
    definition = holdpoint.loads(GATE)
    actors = world.actors(2)
    runs = set()

    for number in range(max(1, ROUNDS // 10)):
        request = _start(world, definition).requests[0]
        decide = call(
            method="decide",
            args=[request.run, "approve"],
            options={"by": "ann", "key": f"key-{number}"},
            times=[world.clock()],
        )
        answers = world.at_once(actors, [decide, decide])

        assert [answer.error for answer in answers] == [None, None], f"round {number}: {answers}"
        runs.add(request.run)
        assert len(world.entries(request.run, "request.decided")) == 1

    assert len(runs) == max(1, ROUNDS // 10)
