"""What Tactus promises about people: its examples as workflows of ours, and what went wrong there and cannot here."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import holdpoint
from tests.building import World, gate, worker, workflow
from tests.examples import Example, opened

# --- example 1: every basic question ----------------------------------------------------------------------------------


@pytest.fixture
def basic(tmp_path: Path) -> Iterator[Example]:
    with opened("tactus", tmp_path, file="basic.yaml") as example:
        yield example


def _at_review(basic: Example) -> holdpoint.Run:
    run = basic.decide(basic.start(), "approve", "ann")
    run = basic.decide(run, "submit", "ann", answers={"name": "Ann"})
    return basic.decide(run, "submit", "ann", answers={"color": "blue"})


def test_basic_declined_asks_nothing_more(basic: Example) -> None:
    run = basic.decide(basic.start(), "reject", "ann")

    assert basic.path(run) == ["begin", "declined"]
    assert run.output == {"completed": False, "user_name": "", "favorite_color": "", "review_decision": "rejected"}


@pytest.mark.parametrize(("answer", "completed"), [("approve", True), ("reject", False)])
@pytest.mark.parametrize("review", ["accept", "reject"])
def test_basic_ends_with_the_last_answer(basic: Example, review: str, answer: str, completed: bool) -> None:
    run = _at_review(basic)
    assert run.artifacts["document"]["content"] == "Ann likes blue.\n"

    run = basic.decide(run, review, "ben")
    run = basic.decide(run, answer, "ann")

    assert basic.path(run) == ["begin", "name", "color", "write", "review", "save", "finished"]
    assert run.output == {
        "completed": completed,
        "user_name": "Ann",
        "favorite_color": "blue",
        "review_decision": review,
    }


def test_basic_is_not_saved_after_a_minute_of_silence(basic: Example) -> None:
    run = basic.decide(_at_review(basic), "accept", "ben")

    assert basic.pass_time(run, "59s").state == "save"
    run = basic.pass_time(run, "1s")

    assert (run.state, run.output["completed"]) == ("finished", False)
    assert (run.results["save"]["by"], run.results["save"]["by_kind"]) == (None, "timer")


def test_basic_writes_and_reviews_again_what_was_sent_back(basic: Example) -> None:
    run = basic.decide(_at_review(basic), "revise", "ben", comment="And red, too.")

    assert (run.state, run.artifacts["document"]["content"]) == ("review", "Ann likes blue.\n\nAnd red, too.\n")


@pytest.mark.parametrize("answers", [{"color": "yellow"}, {"color": 1}, {}, None, {"color": ["blue"]}])
def test_basic_takes_one_of_the_three_colors(basic: Example, answers: object) -> None:
    run = basic.decide(basic.start(), "approve", "ann")
    run = basic.decide(run, "submit", "ann", answers={"name": "Ann"})

    assert basic.refusal(run, "submit", "ann", answers=answers) is holdpoint.Invalid


# --- example 3: a recap is reviewed, then released --------------------------------------------------------------------

NOTES = ["Budget", "We spend less.", "todo: cancel the fair"]
RECAP = {"subject": "Budget", "body": "We spend less.", "action_items": ["cancel the fair"]}
EDITED = {**RECAP, "body": "We spend much less."}


@pytest.fixture
def recap(tmp_path: Path) -> Iterator[Example]:
    with opened("tactus", tmp_path, file="meeting-recap.yaml") as example:
        yield example


def _outbox(recap: Example) -> list[Any]:
    return [message["recap"] for message in recap.lines("outbox.jsonl")]


def test_a_recap_is_sent_once_it_is_accepted_and_released(recap: Example) -> None:
    run = recap.start(notes=NOTES)
    assert run.artifacts["recap"]["content"] == RECAP

    run = recap.decide(run, "accept", "ben")
    assert _outbox(recap) == []
    run = recap.decide(run, "approve", "ann")

    assert recap.path(run) == ["draft", "shown", "review", "release", "send", "sent"]
    assert run.output == {"sent": True, "message_id": recap.lines("outbox.jsonl")[0]["id"], "recap": RECAP}
    assert _outbox(recap) == [RECAP]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda recap, run: recap.decide(run, "reject", "ann"), id="a no"),
        pytest.param(lambda recap, run: recap.pass_time(run, "1h"), id="an hour of silence"),
    ],
)
def test_a_recap_that_is_not_released_is_drafted_and_not_sent(
    recap: Example, answer: Callable[[Example, holdpoint.Run], holdpoint.Run]
) -> None:
    run = recap.decide(recap.start(notes=NOTES), "accept", "ben")
    assert recap.pass_time(run, "59m").state == "release"

    run = answer(recap, run)

    assert (run.state, run.outcome) == ("drafted", "success")
    assert run.output == {"sent": False, "message_id": None, "recap": RECAP}
    assert _outbox(recap) == []


def test_an_edited_recap_is_used_as_it_is_and_reviewed_again(recap: Example) -> None:
    run = recap.decide(recap.start(notes=NOTES), "revise", "ben", comment="less", artifact=EDITED)
    assert recap.path(run) == ["draft", "shown", "review", "shown", "review"]
    assert run.artifacts["recap"]["content"] == EDITED

    run = recap.decide(recap.decide(run, "accept", "ben"), "approve", "ann")

    assert _outbox(recap) == [EDITED]


def test_an_edit_can_be_accepted_at_once(recap: Example) -> None:
    run = recap.decide(recap.start(notes=NOTES), "accept", "ben", artifact=EDITED)

    recap.decide(run, "approve", "ann")

    assert _outbox(recap) == [EDITED]


def test_a_comment_alone_makes_one_more_draft_which_is_reviewed_again(recap: Example) -> None:
    run = recap.decide(recap.start(notes=NOTES), "revise", "ben", comment="Say by how much.")

    assert recap.path(run) == ["draft", "shown", "review", "draft", "shown", "review"]
    assert run.artifacts["recap"]["content"]["body"] == "We spend less.\nSay by how much."


def test_a_rejected_recap_is_an_error_and_nobody_is_asked_to_send_it(recap: Example) -> None:
    run = recap.start(notes=NOTES)
    assert recap.refusal(run, "reject", "ben") is holdpoint.Invalid

    run = recap.decide(run, "reject", "ben", comment="it was confidential")

    assert recap.path(run) == ["draft", "shown", "review", "rejected"]
    assert (run.outcome, run.output) == ("failure", {"error": "rejected by ben: it was confidential"})
    assert _outbox(recap) == []


@pytest.mark.parametrize(("failures", "state"), [(2, "review"), (3, "not_drafted")])
def test_a_recap_is_drafted_in_three_tries_at_most(tmp_path: Path, failures: int, state: str) -> None:
    tries: list[str | None] = []

    def draft(notes: list[str], feedback: str | None) -> dict[str, object]:
        tries.append(feedback)
        if len(tries) <= failures:
            raise ValueError("no answer")
        return dict(RECAP)

    with opened("tactus", tmp_path, file="meeting-recap.yaml", agents={"tactus_agents:draft_recap": draft}) as example:
        run = example.pass_time(example.start(notes=NOTES), "1m")

    assert (run.state, len(tries)) == (state, 3)


# --- example 4: a deployment that a person releases -------------------------------------------------------------------


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Example]:
    with opened("tactus", tmp_path, file="deployment.yaml") as example:
        yield example


def test_a_deployment_is_made_when_its_changes_were_approved(deployment: Example) -> None:
    run = deployment.start(version="2.0")
    request = deployment.engine.get_request(run.requests[0].id)
    assert request.message == "Deploy 2.0 to staging?"
    assert [item["content"] for item in request.show] == [["2.0: a faster search", "2.0: one bug less"]]

    run = deployment.decide(run, "approve", "ben")

    assert (run.outcome, run.output) == ("success", {"deployed": True, "summary": "2.0 is on staging, with 2 changes"})
    assert deployment.lines("deployments.jsonl") == [{"version": "2.0", "environment": "staging"}]


def test_a_deployment_that_was_rejected_is_cancelled_by_the_reviewer(deployment: Example) -> None:
    run = deployment.decide(deployment.start(version="2.0", environment="production"), "reject", "ben")

    assert run.output == {"deployed": False, "summary": "cancelled by the reviewer, ben"}
    assert deployment.lines("deployments.jsonl") == []


# --- example 5: several questions at once -----------------------------------------------------------------------------

PERSON = {"name": "Ann", "role": "designer", "features": ["search", "alerts"], "consent": True}


@pytest.fixture
def batched(tmp_path: Path) -> Iterator[Example]:
    with opened("tactus", tmp_path, file="batched-inputs.yaml") as example:
        yield example


def test_batched_inputs_that_are_not_confirmed_complete_nothing(batched: Example) -> None:
    run = batched.decide(batched.start(), "submit", "ann", answers={"target": "prod", "confirmed": False})

    assert (batched.path(run), run.output) == (["target", "declined"], {"completed": False})


@pytest.mark.parametrize("notes", [{}, {"notes": "at night"}])
def test_batched_inputs_are_asked_form_by_form(batched: Example, notes: dict[str, str]) -> None:
    target = {"target": "staging", "confirmed": True, **notes}

    run = batched.decide(batched.start(), "submit", "ann", answers=target)
    run = batched.decide(run, "submit", "ann", answers=PERSON)

    assert run.output == {"completed": True, "target": target, "person": PERSON}


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param({"target": "moon", "confirmed": True}, id="not one of the targets"),
        pytest.param({"target": "dev", "confirmed": "no"}, id="a no that is a text"),
        pytest.param({"target": "dev", "confirmed": 1}, id="a yes that is a number"),
        pytest.param({"target": "dev"}, id="nothing said"),
    ],
)
def test_batched_inputs_are_checked_as_a_whole(batched: Example, answers: object) -> None:
    assert batched.refusal(batched.start(), "submit", "ann", answers=answers) is holdpoint.Invalid


@pytest.mark.parametrize("features", [[], ["flying"], ["search", "search"], "search", None])
def test_at_least_one_feature_of_the_list_is_chosen(batched: Example, features: object) -> None:
    run = batched.decide(batched.start(), "submit", "ann", answers={"target": "dev", "confirmed": True})

    assert batched.refusal(run, "submit", "ann", answers={**PERSON, "features": features}) is holdpoint.Invalid


# --- example 6: a single approval -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "state"), [("approve", "approved"), ("reject", "rejected")])
def test_a_single_approval_has_two_answers(tmp_path: Path, option: str, state: str) -> None:
    with opened("single-approval", tmp_path) as example:
        assert example.decide(example.start(), option, "ben").state == state


# --- example 7: approve, then a name, then one of four colours --------------------------------------------------------


@pytest.fixture
def colors(tmp_path: Path) -> Iterator[Example]:
    with opened("tactus", tmp_path, file="name-and-color.yaml") as example:
        yield example


def test_without_a_yes_it_is_cancelled(colors: Example) -> None:
    run = colors.decide(colors.start(), "reject", "ann")

    assert (colors.path(run), run.output) == (["begin", "cancelled"], {"status": "cancelled"})


@pytest.mark.parametrize("color", ["red", "blue", "green", "yellow"])
def test_a_yes_a_name_and_a_color_complete_it(colors: Example, color: str) -> None:
    run = colors.decide(colors.start(), "approve", "ann")
    run = colors.decide(run, "submit", "ann", answers={"name": "Ann"})
    assert colors.refusal(run, "submit", "ann", answers={"color": "black"}) is holdpoint.Invalid

    run = colors.decide(run, "submit", "ann", answers={"color": color})

    assert run.output == {"status": "completed", "name": "Ann", "color": color}


# --- example 8: what is done before the gate is not done again after it -----------------------------------------------


@pytest.mark.parametrize(
    ("option", "steps", "numbers"),
    [pytest.param("approve", ["prepare", "finish"], [1, 2]), pytest.param("reject", ["prepare"], [1])],
)
def test_a_finished_step_is_not_run_again(tmp_path: Path, option: str, steps: list[str], numbers: list[int]) -> None:
    with opened("tactus", tmp_path, file="resume.yaml", url="sqlite:///flow.db") as example:
        run = example.start()
        assert (run.state, run.requests[0].message) == ("gate", "Step 1 is done. Go on?")

        with holdpoint.Engine(project=example.folder, clock=example.clock) as later:
            later.tick()
            later.advance(run.id)
            run = later.decide(run.id, option, by="ann")

        assert run.output == {"steps": numbers}
        assert [line["step"] for line in example.lines("steps.jsonl")] == steps


# --- example 9: each kind of question once ----------------------------------------------------------------------------


@pytest.fixture
def each(tmp_path: Path) -> Iterator[Example]:
    with opened("tactus", tmp_path, file="each-kind-once.yaml") as example:
        yield example


def _asked(each: Example, begin: str = "approve", name: Any = None, quick: str | None = "approve") -> holdpoint.Run:
    """A run before its review; *quick* None means silence."""
    run = each.decide(each.start(), begin, "ann")
    run = each.decide(run, "submit", "ann", answers=name)
    run = each.decide(run, "submit", "ann", answers={"color": "red"})
    run = each.decide(run, "submit", "ann", answers={"features": ["search"]})
    return each.decide(run, quick, "ann") if quick else each.pass_time(run, "30s")


@pytest.mark.parametrize(
    ("name", "quick", "expected"),
    [
        pytest.param({"name": "Ann"}, "approve", {"name": "Ann", "quick": True}, id="all answered"),
        pytest.param(None, "reject", {"name": "nobody", "quick": False}, id="the default of an input, a quick no"),
        pytest.param({}, None, {"name": "nobody", "quick": False}, id="30 seconds of silence"),
    ],
)
def test_each_kind_of_question_is_answered(each: Example, name: Any, quick: str | None, expected: Any) -> None:
    run = each.decide(_asked(each, name=name, quick=quick), "accept", "ben")

    assert (run.state, run.outcome) == ("finished", "success")
    assert run.output == {
        "approved": True,
        "color": "red",
        "features": ["search"],
        "review": "accept",
        "escalated": False,
        **expected,
    }


@pytest.mark.parametrize("review", ["accept", "reject"])
def test_what_was_not_approved_is_escalated_with_its_severity(each: Example, review: str) -> None:
    run = each.decide(_asked(each, begin="reject"), review, "ben")

    (request,) = run.requests
    assert (run.state, request.priority) == ("escalation", "urgent")
    assert request.message == "Help is needed (warning): it was not approved."
    assert [(item["name"], item["value"]) for item in each.engine.get_request(request.id).show] == [
        ("severity", "warning"),
        ("rejected by", "ann"),
    ]
    run = each.decide(run, "resolve", "cleo")
    assert {name: run.output[name] for name in ("approved", "review", "escalated")} == {
        "approved": False,
        "review": review,
        "escalated": True,
    }


def test_changes_that_are_requested_are_made_and_reviewed(each: Example) -> None:
    run = each.decide(_asked(each), "revise", "ben", comment="warmer")

    assert (run.state, run.artifacts["document"]["content"]) == ("review", "nobody likes red.\n\nwarmer\n")
    assert each.decide(run, "reject", "ben").output["review"] == "reject"


@pytest.mark.parametrize("features", [[], ["flying"], None])
def test_each_kind_needs_at_least_one_feature(each: Example, features: object) -> None:
    run = each.decide(each.start(), "approve", "ann")
    run = each.decide(run, "submit", "ann")
    run = each.decide(run, "submit", "ann", answers={"color": "red"})

    assert each.refusal(run, "submit", "ann", answers={"features": features}) is holdpoint.Invalid


# --- what went wrong there, and cannot here ---------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        yield world


HOUR = gate(timeout="1h", default="reject")


def test_a_timeout_fires_by_a_tick(world: World) -> None:
    run = world.start({"ask": HOUR})

    assert world.pass_time("59m59s")["defaults"] == 0
    assert world.pass_time("1s")["defaults"] == 1

    assert world.engine.get_run(run.id).state == "refused"


def test_a_timeout_fires_without_any_tick_for_whoever_comes_too_late(world: World) -> None:
    run = world.start({"ask": HOUR})
    (request,) = run.requests
    world.clock.set(request.due_at or pytest.fail("no deadline"))

    assert (world.engine.get_request(request.id).decision or {})["decision"] == "reject"
    with pytest.raises(holdpoint.Conflict):
        world.decide(run, "approve")

    run = world.engine.get_run(run.id)
    assert (run.state, run.results["ask"]["by_kind"]) == ("refused", "timer")


def test_a_run_that_was_put_aside_waits_with_its_request(world: World) -> None:
    run = world.start({"ask": gate()})

    with world.another() as later:
        found = later.get_run(run.id)
        assert (found.status, found.state) == ("waiting", "ask")
        assert [request.id for request in later.inbox().items] == [request.id for request in run.requests]
        assert later.decide(run.requests[0].id, "approve", by="ann").state == "accepted"


def test_no_resume_passes_a_gate(world: World) -> None:
    states = {"before": worker("ask"), "ask": gate(on={"approve": "after", "reject": "refused"}), "after": worker()}
    run = world.start(states)

    for _ in range(5):
        world.engine.tick()
        with world.another() as later:
            resumed = later.advance(run.id)
        assert (resumed.state, resumed.requests) == ("ask", run.requests)

    assert len(world.calls) == 1
    with world.refusal(run, holdpoint.Conflict):
        world.engine.retry(run.id)


def test_an_answer_belongs_to_its_request_whatever_the_file_says_by_then(world: World) -> None:
    file = world.folder / "post.yaml"
    file.write_text(workflow({"ask": gate(message="publish the post?")}))
    post = world.engine.start(world.engine.load(file))

    file.write_text(workflow({"erase": gate(message="delete all data?"), "ask": gate()}, initial="erase"))
    other = world.engine.start(world.engine.load(file))
    answered = world.engine.decide(post.requests[0].id, "approve", by="ann")

    assert (answered.id, answered.state) == (post.id, "accepted")
    assert world.engine.get_request(post.requests[0].id).message == "publish the post?"
    assert world.engine.get_run(other.id).requests == other.requests
    assert other.requests[0].message == "delete all data?"


def test_starting_again_asks_again(world: World) -> None:
    definition = world.load({"ask": gate()})
    first = world.decide(world.engine.start(definition), "approve")

    again = world.engine.start(definition)

    assert again.id != first.id
    assert (again.status, again.results) == ("waiting", {})


def test_a_start_is_a_replay_only_with_its_key_and_the_same_input(world: World) -> None:
    definition = world.load({"ask": gate()})
    first = world.engine.start(definition, {"post": 1}, key="k")

    assert world.engine.start(definition, {"post": 1}, key="k").id == first.id
    with pytest.raises(holdpoint.Conflict) as caught:
        world.engine.start(definition, {"post": 2}, key="k")

    assert caught.value.code == "key_reused"
    assert len(world.engine.runs().items) == 1


def test_two_resumes_at_once_pay_once(world: World) -> None:
    states = {"ask": gate(on={"approve": "pay", "reject": "refused"}), "pay": worker(effect="irreversible")}
    runs = [world.decide(world.start(states), "approve", advance=False) for _ in range(10)]
    assert world.calls == []

    for run in runs:
        at_once = threading.Barrier(2)

        def resume(run_id: str, at_once: threading.Barrier = at_once) -> None:
            with world.another() as engine:
                at_once.wait(timeout=60)
                engine.advance(run_id)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(resume, [run.id, run.id]))

    assert len(world.calls) == 10
    assert [world.engine.get_run(run.id).state for run in runs] == ["accepted"] * 10
    assert [world.kinds(run).count("agent.started") for run in runs] == [1] * 10


def test_a_request_is_settled_once_and_says_by_whom_when_and_how(world: World) -> None:
    run = world.start({"ask": gate()})
    (request,) = run.requests
    world.decide(run, "approve", by="ann", comment="fine")

    again = world.engine.decide(request.id, "approve", by="ann", comment="fine")
    with pytest.raises(holdpoint.Conflict) as caught:
        world.engine.decide(request.id, "reject", by="ben")

    assert again.replayed is True
    assert "'approve' by ann" in caught.value.message
    decision = world.engine.get_request(request.id).decision or {}
    assert {name: decision[name] for name in ("decision", "by", "by_kind", "comment", "at")} == {
        "decision": "approve",
        "by": "ann",
        "by_kind": "human",
        "comment": "fine",
        "at": "2026-01-05T09:00:00.000000Z",
    }


def test_two_answers_at_once_have_one_winner(world: World) -> None:
    run = world.start({"ask": gate()})
    (request,) = run.requests
    at_once = threading.Barrier(4)

    def answer(person: str) -> bool:
        with world.another() as engine:
            at_once.wait(timeout=60)
            try:
                engine.decide(request.id, "approve", by=person)
            except holdpoint.Conflict:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        won = dict(zip("abcd", pool.map(answer, "abcd"), strict=True))

    assert sum(won.values()) == 1
    assert won[world.engine.get_run(run.id).results["ask"]["by"]]


@pytest.mark.parametrize("request_id", ["req_0000000000000000", "req_", "1"])
def test_an_answer_to_a_request_that_is_not_there_is_refused(world: World, request_id: str) -> None:
    run = world.start({"ask": gate()})
    world.start({"ask": gate()})  # `req_` begins the ids of two

    with pytest.raises((holdpoint.NotFound, holdpoint.UsageError)):
        world.engine.decide(request_id, "approve", by="ann")

    assert world.engine.get_run(run.id).requests == run.requests


@pytest.mark.parametrize("option", ["no", "yes", "approved", "Approve", "APPROVE", " approve", "true", "", "timeout"])
def test_only_the_options_of_the_request_are_taken_as_they_are_spelt(world: World, option: str) -> None:
    run = world.start({"ask": HOUR})

    with world.refusal(run, holdpoint.Invalid) as caught:
        world.decide(run, option)

    assert caught.value.details["options"] == ["approve", "reject"]


@pytest.mark.parametrize("value", ["no", "false", 0, None, "yes"])
def test_a_text_is_no_yes_and_no_no(world: World, value: object) -> None:
    form = {"type": "object", "required": ["sure"], "properties": {"sure": {"type": "boolean"}}}
    run = world.start({"ask": gate(form=form)})

    with world.refusal(run, holdpoint.Invalid):
        world.decide(run, "approve", answers={"sure": value})


KILLED = """\
import os, sys, holdpoint, holdpoint.testing

def pay():
    os.kill(os.getpid(), 9)

engine = holdpoint.Engine(clock=holdpoint.testing.Clock(), agents={"agents:work": pay})
run = engine.start(engine.loads(sys.stdin.read()), initiator="bob")
engine.decide(run.id, "approve", by="ann", comment="go")
"""


def test_what_was_committed_is_there_after_a_kill(world: World) -> None:
    states = {"ask": gate(on={"approve": "pay", "reject": "refused"}), "pay": worker(effect="irreversible")}
    done = subprocess.run(
        [sys.executable, "-c", KILLED], input=workflow(states), text=True, cwd=world.folder, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL

    (run,) = world.engine.runs().items
    found = world.engine.get_run(run.id)
    assert (found.status, found.state) == ("running", "pay")
    assert (found.results["ask"]["by"], found.results["ask"]["comment"]) == ("ann", "go")
    assert world.engine.tick()["recovered"] == 1
    (request,) = world.engine.get_run(run.id).requests
    assert request.kind == "crash"
    assert world.engine.decide(request.id, "retry", by="ann").state == "accepted"
    assert len(world.calls) == 1


@pytest.mark.parametrize(
    ("script", "state", "by_kind"),
    [
        pytest.param(lambda world, run: world.decide(run, "approve"), "accepted", "human", id="a yes"),
        pytest.param(lambda world, run: world.decide(run, "reject"), "refused", "human", id="a no"),
        pytest.param(lambda world, run: world.pass_time("1h"), "refused", "timer", id="silence"),
    ],
)
def test_a_no_and_silence_are_tested_like_a_yes(
    world: World, script: Callable[[World, holdpoint.Run], object], state: str, by_kind: str
) -> None:
    run = world.start({"ask": HOUR})

    script(world, run)

    run = world.engine.get_run(run.id)
    assert (run.state, run.results["ask"]["by_kind"]) == (state, by_kind)


# --- many gates in a row ----------------------------------------------------------------------------------------------


def _gates(number: int) -> dict[str, Any]:
    """So many gates, one after the other."""
    return {f"gate_{n}": gate(on={"approve": f"gate_{n + 1}", "reject": "refused"}) for n in range(number)} | {
        f"gate_{number}": gate()
    }


def _cost(folder: Path, gates: int) -> tuple[dict[str, int], int]:
    """The rows of each table and the bytes on disk once so many gates were passed."""
    folder.mkdir()
    with World(folder) as world:
        run = world.start(_gates(gates - 1))
        for _ in range(gates):
            run = world.decide(run, "approve")
        assert run.state == "accepted"
    with closing(sqlite3.connect(folder / "flow.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608
        (used,) = database.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    return rows, used


def test_many_gates_in_a_row_cost_the_same_each(tmp_path: Path) -> None:
    (rows, used), (more_rows, more_used) = _cost(tmp_path / "few", 25), _cost(tmp_path / "many", 100)

    growth = {name: (more_rows[name] - count) / 75 for name, count in rows.items()}
    assert {name: per_gate for name, per_gate in growth.items() if per_gate} == {"history": 4, "requests": 1}
    assert (more_used - used) / 75 <= 1024
    assert more_used <= 200 * 1024


def test_a_gate_that_was_passed_often_is_passed_with_no_more_work(tmp_path: Path) -> None:
    """Work that grows with what lies behind would show here, whatever the machine's speed."""
    with World(tmp_path) as world:
        run = world.start({"ask": gate(on={"approve": "ask", "reject": "refused"})})
        world.decide(run, "approve")
        first = _calls(lambda: world.decide(run, "approve"))
        for _ in range(200):
            world.decide(run, "approve")
        last = _calls(lambda: world.decide(run, "approve"))

        assert world.engine.get_run(run.id).visits == {"ask": 204}
        assert last <= first * 1.1


def _calls(act: Callable[[], object]) -> int:
    """How many calls of functions, of Python or of C, an act takes."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count
