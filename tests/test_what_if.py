"""`flow what-if`, `Engine.what_if`: recorded runs by another definition, or with another decision."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import holdpoint
from holdpoint import cli
from holdpoint.engine.agents import Crashed, Failure, Scripted
from holdpoint.testing import Clock

LETTER = """
workflow: letter
input:
  type: object
  properties: {pages: {type: integer, default: 1}}
states:
  write: {type: agent, python: "letters:write", with: {pages: "{{ input.pages }}"}, artifact: letter, next: read}
  read:
    type: return
    show: [letter]
    timeout: 2d
    default: accept
    on: {accept: sign, revise: write}
  sign:
    type: approval
    message: Sign it?
    show: [letter]
    assign: ["role:boss"]
    timeout: 2d
    default: reject
    on:
      approve: [{to: board, when: "input.pages > 9"}, {to: post}]
      reject: dropped
  board: {type: approval, assign: ["role:board"], on: {approve: post, reject: dropped}, timeout: never}
  post: {type: agent, python: "letters:post", retry: {attempts: 2, delay: 1m}, effect: irreversible, next: paid}
  paid: {type: wait, signal: paid, on: {received: sent, timeout: dropped}, timeout: 9d}
  sent: {type: end, output: {letter: "{{ artifacts.letter }}", run: "{{ run.id }}", post: "{{ post }}"}}
  dropped: {type: end, outcome: failure}
"""


@dataclass
class World:
    """A database with recorded runs, whose agents give what is left in `gives`."""

    folder: Path
    clock: Clock
    engine: holdpoint.Engine
    gives: list[Any] = field(default_factory=list)

    def start(self, **input: Any) -> str:
        return self.engine.start(self.engine.load(self.folder / "letter.yaml"), input, initiator="ann").id

    def decide(self, run: str, option: str, by: str = "bea", **more: Any) -> None:
        self.engine.decide(run, option, by=by, **more)

    def sent(self, *gives: Any, **input: Any) -> str:
        """A run that was read after 1h, signed 5h after that, posted and paid."""
        self.gives += gives or ["Dear", "posted"]
        run = self.start(**input)
        self.clock.advance(self.engine, "1h")
        self.decide(run, "accept", "ann")
        self.clock.advance(self.engine, "5h")
        self.decide(run, "approve")
        self.clock.advance(self.engine, "1h")
        self.engine.signal(run, "paid", {"sum": 3})
        assert self.engine.get_run(run).state == "sent"
        return run

    def edited(self, *edits: tuple[str, str]) -> holdpoint.Definition:
        """The workflow with these edits, which is written to `new.yaml` too."""
        text = LETTER
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        (self.folder / "new.yaml").write_text(text)
        return self.engine.loads(text)

    def state(self) -> Mapping[str, Any]:
        """All that is in the database."""
        runs = self.engine.runs(limit=1000).items
        return {run.id: [entry.hash for entry in self.engine.history(run.id)] for run in runs}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "flow.toml").write_text("[people.bea]\nroles = ['boss']\n")
    (tmp_path / "letter.yaml").write_text(LETTER)
    clock = Clock()
    gives: list[Any] = []

    def agent(**arguments: Any) -> Any:
        given = gives.pop(0)  # an agent that runs once more than a test says is an error
        if isinstance(given, timedelta):
            clock.set(clock() + given)
            given = gives.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    agents = {"letters:write": agent, "letters:post": agent}
    with holdpoint.Engine("sqlite:///flow.db", clock=clock, project=tmp_path, agents=agents) as engine:
        yield World(folder=tmp_path, clock=clock, engine=engine, gives=gives)
        assert engine.verify() == ()
        assert gives == []


def test_a_run_ends_the_same_by_its_own_definition_and_nothing_is_written(world: World) -> None:
    run = world.sent()
    before = world.state()

    played = world.engine.what_if(run)

    assert (played.verdict, played.parting, played.stop, played.notes) == ("same", None, None, [])
    assert played.replayed == played.recorded
    assert played.replayed.output["run"] == run
    assert world.state() == before


def test_failures_crashes_edits_comments_and_silences_are_played_as_they_were(world: World) -> None:
    down = Scripted(Failure(code="agent_error", message="down"))
    died = Scripted(Crashed(reason="killed"))
    world.gives += ["Dear", "Dear all", down, died, "posted"]
    run = world.start()
    world.decide(run, "revise", "ann", comment="to all", artifact="Dear a")
    world.clock.advance(world.engine, "3d")  # nobody reads it: accepted
    world.decide(run, "approve")
    world.clock.advance(world.engine, "2m")  # the second attempt dies, and somebody is asked
    world.decide(run, "retry")
    world.clock.advance(world.engine, "10d")  # nobody pays

    played = world.engine.what_if(run)

    assert (played.verdict, played.parting, played.notes) == ("same", None, [])
    assert played.replayed.state == "dropped"
    assert played.replayed.path.count("write") == 2


def test_what_people_edited_and_answered_is_played_as_it_was(world: World) -> None:
    world.gives += ["Dear", Scripted(Crashed(reason="killed"))]
    run = world.start()
    world.decide(run, "accept", "ann", artifact="Dear Bob")
    world.decide(run, "approve")
    world.decide(run, "done", answers={"stamp": 3})
    world.engine.signal(run, "paid")

    played = world.engine.what_if(run)

    assert (played.verdict, played.notes) == ("same", [])
    assert (played.replayed.output["letter"], played.replayed.output["post"]) == ("Dear Bob", {"stamp": 3})


def test_agents_take_as_long_as_they_took(world: World) -> None:
    world.gives += ["Dear", timedelta(hours=3), "posted"]
    run = world.start()
    world.decide(run, "accept", "ann")
    world.decide(run, "approve")
    world.clock.advance(world.engine, "1h")
    world.engine.signal(run, "paid")

    played = world.engine.what_if(run, world.edited(("timeout: 9d", "timeout: 2h")))

    assert (played.verdict, played.replayed.state) == ("same", "sent")


def test_a_deadline_that_decides_as_a_person_did_is_another_way_to_the_same_end(world: World) -> None:
    run = world.sent()
    edit = ("timeout: 2d\n    default: accept", "timeout: 30m\n    default: accept")

    played = world.engine.what_if(run, world.edited(edit))

    assert played.verdict == "same"
    assert played.parting is not None
    assert played.parting.text == (
        "it goes on by 'accept' of the deadline after 30m; recorded is 'accept' by 'ann' after 1h"
    )


def test_a_run_that_is_ready_for_its_agent_is_played_as_far_as_that(world: World) -> None:
    run = world.engine.start(world.engine.load(world.folder / "letter.yaml"), advance=False).id

    played = world.engine.what_if(run)

    assert (played.verdict, played.replayed.path, played.stop) == ("same", ["write"], None)


def test_a_timeout_that_is_too_short_for_the_decision_parts_them(world: World) -> None:
    run = world.sent()

    played = world.engine.what_if(
        run, world.edited(("timeout: 2d\n    default: reject", "timeout: 4h\n    default: reject"))
    )

    assert (played.verdict, played.end) == ("other", "end in 'dropped' instead")
    assert played.parting is not None
    assert (played.parting.state, played.parting.visit) == ("sign", 1)
    assert (
        played.parting.text
        == "it goes on by 'reject' of the deadline after 4h; recorded is 'approve' by 'bea' after 5h"
    )


def test_a_decision_is_as_long_after_it_was_asked_as_it_was_then(world: World) -> None:
    """A gate that is gone opens the next one earlier, and the decision comes earlier too."""
    run = world.sent()

    played = world.engine.what_if(run, world.edited(("artifact: letter, next: read", "artifact: letter, next: sign")))

    assert (played.verdict, played.replayed.path) == ("same", ["write", "sign", "post", "paid", "sent"])
    assert played.parting is not None
    assert played.parting.text == "'done' leads to 'sign', not to 'read'"


def test_a_condition_that_asks_somebody_who_never_decided_stops(world: World) -> None:
    run = world.sent(pages=3)

    played = world.engine.what_if(run, world.edited(("input.pages > 9", "input.pages > 2")))

    assert (played.verdict, played.replayed.state) == ("stuck", "board")
    assert played.stop is not None
    assert (played.stop.why, played.stop.text) == (
        "unasked",
        "it waits for the decision in 'board', visit 1, that was never made: approve, reject",
    )
    assert played.parting is not None
    assert played.parting.text == "'approve' leads to 'board', not to 'post'"


def test_a_decision_that_is_refused_now_stops(world: World) -> None:
    run = world.sent()

    played = world.engine.what_if(run, world.edited(('assign: ["role:boss"]', 'assign: ["role:board"]')))

    assert played.stop is not None
    assert (played.verdict, played.stop.why, played.replayed.state) == ("stuck", "refused", "sign")
    assert played.stop.text.startswith("'approve' by 'bea' in 'sign' is refused: 'bea' may not choose 'approve'")


def test_who_decided_had_the_role_though_it_was_taken_away_since(world: World) -> None:
    run = world.sent()
    (world.folder / "flow.toml").write_text("")

    with holdpoint.Engine("sqlite:///flow.db", project=world.folder) as engine:
        assert engine.what_if(run).verdict == "same"


def test_an_agent_that_never_ran_is_not_run(world: World) -> None:
    run = world.sent()
    proof = "  proof: {type: agent, python: 'letters:proof', with: {n: 7}, next: read}\n"

    played = world.engine.what_if(
        run,
        world.edited(
            ("artifact: letter, next: read", "artifact: letter, next: proof"), ("  read:\n", f"{proof}  read:\n")
        ),
    )

    assert played.stop is not None
    assert (played.stop.why, played.replayed.path) == ("unrecorded", ["write", "proof"])
    assert played.stop.text == "the agent of 'proof' is to run, and visit 1 was not recorded; it would get {\"n\":7}"


def test_what_an_error_edge_of_a_missing_agent_leads_to_is_no_part_of_it(world: World) -> None:
    run = world.sent()
    proof = "  proof: {type: agent, python: 'letters:proof', on: {done: read, error: dropped}}\n"

    played = world.engine.what_if(
        run,
        world.edited(
            ("artifact: letter, next: read", "artifact: letter, next: proof"), ("  read:\n", f"{proof}  read:\n")
        ),
    )

    assert (played.verdict, played.replayed.path, played.replayed.state) == ("stuck", ["write", "proof"], "proof")


def test_an_agent_that_is_another_now_is_noted(world: World) -> None:
    run = world.sent()

    played = world.engine.what_if(run, world.edited(("letters:write", "letters:draft")))

    assert played.notes == ["the agent of 'write' is another now; it gives what the recorded one gave"]


def test_a_run_that_would_fail_says_why(world: World) -> None:
    run = world.sent()

    played = world.engine.what_if(
        run, world.edited(('with: {pages: "{{ input.pages }}"}', 'with: {pages: "{{ env.NO_SUCH_NAME }}"}'))
    )

    assert (played.verdict, played.end) == ("other", "fail in 'write' instead")
    assert played.parting is not None
    assert "NO_SUCH_NAME" in played.parting.text


def test_an_input_that_is_refused_now_is_told(world: World) -> None:
    run = world.sent()

    played = world.engine.what_if(
        run,
        world.edited(
            ("input:\n  type: object", "input:\n  type: object\n  required: [to]"),
            ("properties: {", "properties: {to: {type: string}, "),
        ),
    )

    assert played.stop is not None
    assert (played.verdict, played.stop.why, played.replayed.path) == ("stuck", "input", [])
    assert "'to'" in played.stop.text


def test_another_output_is_no_same_end(world: World) -> None:
    run = world.sent()

    played = world.engine.what_if(run, world.edited(('run: "{{ run.id }}"', "run: none")))

    assert (played.verdict, played.parting, played.end) == ("other", None, "end in 'sent' too, with another output")


def test_a_signal_that_no_wait_takes_now_is_noted(world: World) -> None:
    run = world.sent()

    played = world.engine.what_if(run, world.edited(("signal: paid", "signal: settled")))

    assert (played.verdict, played.replayed.state) == ("other", "dropped")
    assert played.notes[0].startswith("the signal 'paid' has no effect")


def test_a_run_that_waits_is_played_up_to_now(world: World) -> None:
    world.gives.append("Dear")
    run = world.start()
    world.clock.advance(world.engine, "5h")

    own = world.engine.what_if(run)
    shorter = world.engine.what_if(
        run, world.edited(("timeout: 2d\n    default: accept", "timeout: 4h\n    default: accept"))
    )

    assert (own.verdict, own.replayed.status, own.replayed.state) == ("same", "waiting", "read")
    assert (shorter.verdict, shorter.replayed.state) == ("other", "sign") or shorter.stop is not None
    assert shorter.parting is not None
    assert shorter.parting.text.startswith("it goes on by 'accept' of the deadline after 4h")


def test_what_is_overdue_and_not_applied_yet_is_no_parting(world: World) -> None:
    world.gives.append("Dear")
    run = world.start()
    world.clock.set(world.engine.now().replace(year=2027))

    assert world.engine.what_if(run).verdict == "same"
    world.engine.tick()


def test_what_operators_did_is_played_too(world: World) -> None:
    world.gives += ["Dear", "Dear"]
    run = world.start()
    moved = world.start()
    world.clock.advance(world.engine, "1h")
    world.engine.cancel(run)
    world.engine.extend(world.engine.get_run(moved).requests[0].id, "1d")
    world.clock.advance(world.engine, "2d12h")
    world.decide(moved, "accept")
    world.engine.move(moved, "dropped", reason="no use")

    played = [world.engine.what_if(each) for each in (run, moved)]
    assert [(one.verdict, one.parting, one.notes) for one in played] == [("same", None, []), ("same", None, [])]


def test_a_fork_ends_elsewhere(world: World) -> None:
    run = world.sent()
    before = world.state()

    played = world.engine.what_if(run, at="sign", decide="reject")

    assert (played.verdict, played.replayed.path) == ("other", ["write", "read", "sign", "dropped"])
    assert played.parting is not None
    assert played.parting.text == "it goes on by 'reject' by 'bea' after 5h; recorded is 'approve' by 'bea' after 5h"
    assert world.state() == before


def test_a_fork_stops_at_an_agent_that_never_ran(world: World) -> None:
    run = world.sent()

    played = world.engine.what_if(run, at="read", decide="revise", comment="shorter")

    assert played.stop is not None
    assert (played.stop.why, played.replayed.path) == ("unrecorded", ["write", "read", "write"])


def test_a_fork_of_a_silence_needs_a_person(world: World) -> None:
    world.gives.append("Dear")
    run = world.start()
    world.clock.advance(world.engine, "9d")

    with pytest.raises(holdpoint.UsageError, match="say by whom"):
        world.engine.what_if(run, at="sign", decide="approve")
    played = world.engine.what_if(run, at="sign", decide="approve", by="bea")

    assert (played.verdict, played.replayed.state) == ("stuck", "post")


def test_a_fork_leaves_out_what_operators_did_later(world: World) -> None:
    world.gives.append("Dear")
    run = world.start()
    world.decide(run, "accept", "ann")
    world.clock.advance(world.engine, "1h")
    world.engine.cancel(run)

    played = world.engine.what_if(run, at="read", decide="accept", by="bea")

    assert played.recorded.status == "cancelled"
    assert (played.replayed.state, played.replayed.status) == ("dropped", "done")


def test_a_fork_goes_on_beyond_now_and_notes_what_was_decided_on_other_work(world: World) -> None:
    world.gives += ["Dear", "posted"]
    run = world.start()
    world.decide(run, "accept", "ann")
    world.decide(run, "approve")

    played = world.engine.what_if(run, at="read", decide="accept", artifact="Hi")

    assert (played.recorded.status, played.replayed.state) == ("waiting", "dropped")
    assert played.notes == ["the decision in 'sign' was made on another content of 'letter'"]


def test_a_fork_of_an_open_request_says_what_a_decision_would_do(world: World) -> None:
    world.gives.append("Dear")
    run = world.start()

    played = world.engine.what_if(run, at="read", decide="accept", by="ann")

    assert played.stop is not None
    assert (played.replayed.path, played.stop.why) == (["write", "read", "sign"], "unasked")


@pytest.mark.parametrize(
    ("more", "error", "text"),
    [
        pytest.param(
            {"at": "board", "decide": "approve"}, holdpoint.Invalid, "it was asked in 'read', 'sign'", id="never asked"
        ),
        pytest.param({"at": "sign", "decide": "appprove"}, holdpoint.Invalid, "did you mean 'approve'", id="no option"),
        pytest.param({"at": "sign", "decide": "reject", "by": "bob"}, holdpoint.NotAllowed, "'bob'", id="not allowed"),
        pytest.param({"at": "read", "decide": "revise"}, holdpoint.Invalid, "needs a comment", id="no comment"),
        pytest.param({"at": "sign"}, holdpoint.UsageError, "go together", id="half"),
    ],
)
def test_a_fork_that_could_not_have_been_is_refused(
    world: World, more: dict[str, Any], error: type[Exception], text: str
) -> None:
    run = world.sent()

    with pytest.raises(error, match=text):
        world.engine.what_if(run, **more)


Flow = Callable[..., tuple[int, str, str]]


@pytest.fixture
def flow(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Flow:
    monkeypatch.chdir(world.folder)
    for name in ("FLOW_DB", "FLOW_USER", "FLOW_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def call(*args: str) -> tuple[int, str, str]:
        status = cli.run(args)
        return (status, *capfd.readouterr())

    return call


def test_many_runs_are_summed_up(world: World, flow: Flow) -> None:
    for pages in (1, 2, 3, 4):
        last = world.sent(pages=pages)
    world.gives.append("Dear")
    world.start()
    world.edited(("input.pages > 9", "input.pages > 3"))

    status, out, err = flow("what-if", "--status", "done", "--workflow", "new.yaml")

    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{last} cannot go on: 'approve' leads to 'board', not to 'post'",
        "3 of 4 end the same, 1 cannot go on",
        "  those that cannot go on stop 1 at a decision that was never made",
    ]
    assert "1 of 1 end the same" in flow("what-if", "--limit", "1", "--workflow", "new.yaml")[1]
    assert flow("what-if", "--all", "--workflow", "new.yaml", "--exit-code")[0] == cli.FINDINGS


def test_one_run_shows_both_ways(world: World, flow: Flow) -> None:
    run = world.sent()

    status, out, err = flow("what-if", run, "--at", "sign", "--decide", "reject", "--comment", "no")

    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[1:4] == [
        "  recorded  write → read → sign → post → paid → sent: ends in 'sent'",
        "  what if   write → read → sign → dropped: ends in 'dropped'",
        "  parts     in 'sign', visit 1: it goes on by 'reject' by 'bea' after 5h; "
        "recorded is 'approve' by 'bea' after 5h",
    ]


def test_an_edit_of_a_text_is_read_as_text(world: World, flow: Flow) -> None:
    """As `flow decide` does."""
    run = world.sent()
    Path("edit.txt").write_text("Hello\n")
    Path("edit.json").write_text('"quoted"')

    words = ("what-if", run, "--at", "read", "--decide", "accept", "--json", "--artifact")
    played = {name: json.loads(flow(*words, name)[1])["runs"][0] for name in ("edit.txt", "edit.json")}

    assert played["edit.txt"]["replayed"]["output"]["letter"] == "Hello\n"
    assert played["edit.json"]["replayed"]["output"]["letter"] == '"quoted"'


def test_an_edit_of_an_object_is_read_as_json(world: World, flow: Flow) -> None:
    run = world.sent({"text": "Dear"}, "posted")
    Path("edit.json").write_text('{"text": "Hi"}')

    words = ("what-if", run, "--at", "read", "--decide", "accept", "--json", "--artifact", "edit.json")

    assert json.loads(flow(*words)[1])["runs"][0]["replayed"]["output"]["letter"] == {"text": "Hi"}


def test_the_edit_is_read_as_the_visit_asks_that_is_decided_otherwise(world: World, flow: Flow) -> None:
    world.gives += ["Dear", {"text": "Dear"}]
    run = world.start()
    world.decide(run, "revise", "ann", comment="more")
    Path("edit.txt").write_text("Hello")

    first = flow("what-if", run, "--at", "read", "--visit", "1", "--decide", "accept", "--artifact", "edit.txt")
    last = flow("what-if", run, "--at", "read", "--decide", "accept", "--by", "ann", "--artifact", "edit.txt")

    assert first[0] == 0
    assert "file 'edit.txt' is not JSON" in last[2]


def test_an_answer_means_what_the_form_says(world: World, flow: Flow) -> None:
    form = "form: {type: object, properties: {grade: {type: string}}}"
    (world.folder / "letter.yaml").write_text(
        f"workflow: letter\nstates:\n  ask: {{type: approval, {form}, timeout: never, on: {{good: end, bad: end}}}}\n"
        "  end: {type: end, output: {grade: '{{ ask.answers.grade }}'}}\n"
    )
    run = world.start()
    world.decide(run, "good", answers={"grade": "1"})

    words = ("what-if", run, "--at", "ask", "--decide", "bad", "-a", "grade=2", "--json")

    assert json.loads(flow(*words)[1])["runs"][0]["replayed"]["output"] == {"grade": "2"}


def test_the_json_has_each_run_and_the_summary(world: World, flow: Flow) -> None:
    run = world.sent()

    found = json.loads(flow("what-if", run, "--at", "sign", "--decide", "reject", "--json")[1])

    assert found["runs"][0]["run"] == run
    assert found["runs"][0]["replayed"]["path"] == ["write", "read", "sign", "dropped"]
    assert found["summary"]["ends"] == {"end in 'dropped' instead": 1}


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["run_1"], id="nothing otherwise"),
        pytest.param(["run_1", "--at", "sign"], id="no option"),
        pytest.param(["run_1", "--all", "--workflow", "letter.yaml"], id="one and all"),
        pytest.param(["--workflow", "letter.yaml"], id="none"),
        pytest.param(["--all", "--at", "sign", "--decide", "reject"], id="a fork of all"),
    ],
)
def test_wrong_usage_is_told(flow: Flow, words: list[str]) -> None:
    assert flow("what-if", *words)[0] == cli.USAGE


def test_no_run_of_the_workflow_is_not_found(world: World, flow: Flow) -> None:
    assert flow("what-if", "--all", "--workflow", "letter.yaml")[0] == cli.EXIT_STATUSES["NotFound"]
