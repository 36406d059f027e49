"""Scenarios are played by the real engine: made-up agents, scripted people, virtual time, and what is expected."""

from __future__ import annotations

import pytest

from tests.scenarios.desk import HEAD, Desk

START = "input: {pages: 2}"
SIGNED = "{decide: accept, at: review, by: ann}, {decide: approve, at: sign, by: dora}"


def one(rest: str) -> str:
    """A scenario, on one line."""
    return f"  - {{name: one, {START}, {rest}}}\n"


PASSING = [
    pytest.param(f"steps: [{SIGNED}], expect: {{path: [write, review, sign, post, sent]}}", id="path"),
    pytest.param("expect: {state: review, status: waiting, outcome: null, output: null}", id="standing"),
    pytest.param(f"steps: [{SIGNED}], expect: {{outcome: success, output: {{text: Dear all}}}}", id="output"),
    pytest.param(
        "steps: [{advance: 5d}], expect: {state: lost, expired: 2, counts: {request.expired: 2}}", id="silence"
    ),
    pytest.param("steps: [{advance: 47h}], expect: {state: review, expired: 0}", id="not-yet"),
    pytest.param(
        "steps: [{decide: accept, by: ann, artifact: Dear both}],"
        " expect: {artifacts: {text: Dear both}, authors: {text: [write, ann]}, revisions: {text: 2}}",
        id="edit",
    ),
    pytest.param(
        "steps: [{decide: accept, by: ann}, {decide: approve, at: sign, by: initiator, refused: not_allowed}],"
        " expect: {state: sign, counts: {decision.refused: 1}}",
        id="refused",
    ),
    pytest.param(
        "steps: [{decide: accept, by: ann}, {decide: accept, at: review, by: bob, refused: already_decided}]",
        id="refused-late",
    ),
    pytest.param(
        f"steps: [{SIGNED}], expect: {{arguments: {{write: {{pages: 2}}, post: {{text: Dear all}}}}}}", id="arguments"
    ),
    pytest.param("expect: {arguments: {write: {}, post: null}}", id="not-called"),
    pytest.param(
        "steps: [{decide: accept, at: review, by: ann, key: k1}, {decide: accept, at: review, by: ann, key: k1}],"
        " expect: {state: sign, counts: {request.decided: 1}}",
        id="repeated-key",
    ),
    pytest.param(
        "steps: [{decide: accept, at: review, by: ann, key: k1}, {decide: approve, at: sign, by: dora, key: k1}],"
        " expect: {state: sent}",
        id="the-same-key-at-another-request",
    ),
    pytest.param(
        "steps: [{decide: accept, by: ann, key: k1}, {decide: accept, by: ann, key: k1},"
        " {decide: revise, by: ann, comment: no, key: k1, refused: key_reused}]",
        id="key-without-a-state",
    ),
    pytest.param(
        "steps: [{move: nowhere, refused: state}, {signal: nothing, refused: signal}], expect: {state: review}",
        id="refused-names",
    ),
    pytest.param(
        "steps: [{advance: 2d}], expect: {decisions: {review: {at: '2026-01-07T10:00:00+01:00'}}}", id="at-any-notation"
    ),
    pytest.param(
        "steps: [{decide: accept}, {decide: approve, by: dora}], agents: {post: {crash: true}},"
        " expect: {requests: [{kind: crash, state: post}]}",
        id="crash-question",
    ),
    pytest.param(
        "steps: [{advance: 3d, ticks: false}, {expect: {state: review, expired: 0}},"
        " {decide: revise, by: ann, refused: conflict}], expect: {state: sign, decisions: {review: {by_kind: timer}}}",
        id="late-without-a-tick",
    ),
    pytest.param("steps: [{decide: revise, by: ann, refused: invalid}], expect: {state: review}", id="refused-by-kind"),
    pytest.param(
        "steps: [{decide: revise, by: ann, comment: shorter}], agents: {write: [Dear all, Dear both]},"
        " expect: {artifacts: {text: Dear both}, visits: {write: 2, post: 0}}",
        id="visits",
    ),
    pytest.param(
        "agents: {write: {attempts: [{error: no ink}, {output: Dear both}]}}, steps: [{advance: 2m}],"
        " expect: {artifacts: {text: Dear both}, attempts: 2, history: [agent.failed, agent.succeeded]}",
        id="attempts",
    ),
    pytest.param(
        "agents: {write: {attempts: [{crash: true}, {output: Dear both}]}}, steps: [{tick: true}],"
        " expect: {artifacts: {text: Dear both}, crashed: 1}",
        id="crash",
    ),
    pytest.param(
        "agents: {write: {error: {code: agent_timeout, message: too slow}}}, steps: [{advance: 2m}],"
        " expect: {state: lost, outcome: failure, attempts: 2}",
        id="error-edge",
    ),
    pytest.param(
        f"agents: {{post: {{crash: true}}}}, steps: [{SIGNED},"
        " {expect: {requests: [{kind: crash, state: post}]}},"
        " {decide: done, at: post, by: dora, answers: {ok: true}}], expect: {state: sent, results: {post: {ok: true}}}",
        id="crash-of-an-irreversible-agent",
    ),
    pytest.param(
        "expect: {requests: [{state: review, message: 'Is it right, all 2 of it?', options: [accept, revise],"
        " assigned: [], due: 2d, show: [{name: text, revision: 1}]}]}",
        id="request",
    ),
    pytest.param("expect: {requests: [{due: '2026-01-07T09:00:00Z'}]}", id="due"),
    pytest.param(
        f"input: {{pages: 11}}, steps: [{SIGNED}, {{signal: stamped, data: 7, by: eva}}],"
        " expect: {state: sent, results: {stamp: 7}, history: [signal.received, wait.ended]}",
        id="signal",
    ),
    pytest.param("steps: [{cancel: not needed, by: olga}], expect: {status: cancelled, requests: []}", id="cancel"),
    pytest.param("steps: [{cancel: true, by: ann, refused: not_allowed}]", id="operators-only"),
    pytest.param("steps: [{move: post, reason: signed on paper}], expect: {state: sent}", id="move"),
    pytest.param("steps: [{extend: 1d}, {advance: 50h}], expect: {state: review, requests: [{due: 22h}]}", id="extend"),
    pytest.param(
        "steps: [{assign: [eva]}, {claim: eva}], expect: {assigned: 1, requests: [{assigned: [eva], claimed_by: eva}]}",
        id="assign-and-claim",
    ),
    pytest.param(
        f"agents: {{post: [{{error: no stamps}}, {{ok: true}}]}}, steps: [{SIGNED},"
        " {expect: {status: failed, error: agent_error}}, {expect: {error: {state: post}}}, {move: post}],"
        " expect: {state: sent, error: null}",
        id="failed-and-mended",
    ),
    pytest.param(
        "steps: [{decide: accept, by: ann}, {expect: {decisions: {review: accept}}},"
        " {decide: reject, by: dora, comment: no}],"
        " expect: {decisions: {review: {by: ann, by_kind: human}, sign: {decision: reject, comment: 'no'}}}",
        id="decisions",
    ),
]


@pytest.mark.parametrize("rest", PASSING)
def test_what_is_so_passes(desk: Desk, rest: str) -> None:
    scenario = f"  - {{name: one, {rest}}}\n" if rest.startswith("input:") else one(rest)

    assert desk.failures(scenario) == []


FAILING = [
    pytest.param(
        "expect: {arguments: {write: {pages: 3}}}", "arguments.write.pages is 2, expected 3", id="other-arguments"
    ),
    pytest.param("expect: {arguments: {post: {}}}", "arguments: 'post' is missing, expected {}", id="never-called"),
    pytest.param(
        "expect: {path: [write, sign]}",
        "the path is write → review, expected write → sign: they part at state 2, which is 'review', expected 'sign'",
        id="path",
    ),
    pytest.param(
        "expect: {path: [write]}",
        "the path is write → review, expected write: they part at state 2, which is 'review', expected nothing",
        id="path-too-long",
    ),
    pytest.param("expect: {state: sign}", "state is 'review', expected 'sign'", id="state"),
    pytest.param("expect: {outcome: success}", "outcome is none, expected 'success'", id="none"),
    pytest.param("expect: {visits: {write: 2}}", "visits.write is 1, expected 2", id="number"),
    pytest.param("expect: {visits: {write: 0}}", "visits.write is 1, expected 0", id="a visit that is not expected"),
    pytest.param(
        "agents: {write: {a: [1, {b: true}]}}, expect: {artifacts: {text: {a: [1, {b: 1}]}}}",
        "artifacts.text.a[1].b is true, expected 1",
        id="deep",
    ),
    pytest.param(
        "agents: {write: {a: 1, c: 2}}, expect: {artifacts: {text: {a: 1}}}",
        "artifacts.text: 'c' is 2, expected not to be there",
        id="too-much",
    ),
    pytest.param(
        "agents: {write: {a: [1]}}, expect: {artifacts: {text: {a: [1, 2]}}}",
        "artifacts.text.a is [1], expected [1, 2]",
        id="list",
    ),
    pytest.param("expect: {requests: []}", "1 request is open ('review'), expected 0", id="requests"),
    pytest.param(
        "expect: {requests: [{due: 1d}]}",
        "requests[0].due is '2026-01-07T09:00:00.000000Z', expected '2026-01-06T09:00:00.000000Z'",
        id="due",
    ),
    pytest.param(
        "expect: {requests: [{options: [accept]}]}", 'requests[0].options is ["accept", "revise"]', id="options"
    ),
    pytest.param(
        "expect: {history: [request.opened, agent.failed]}",
        "the history has no 'agent.failed' after 'request.opened'",
        id="history",
    ),
    pytest.param(
        "expect: {counts: {agent.started: 2}}", "the history has 1 of 'agent.started', expected 2", id="counts"
    ),
    pytest.param("expect: {expired: 1}", "expired is 0, expected 1", id="expired"),
    pytest.param("expect: {results: {review: {by: ann}}}", "results: 'review' is missing", id="results"),
    pytest.param("expect: {authors: {text: ann}}", "authors.text is 'write', expected 'ann'", id="authors"),
    pytest.param("expect: {error: agent_error}", "error.code is none, expected 'agent_error'", id="error"),
    pytest.param(
        "steps: [{decide: approve, at: sign, by: dora}]",
        "decide: no request is open in state 'sign'; open: 'review'; the run is waiting in 'review'",
        id="not-open",
    ),
    pytest.param(
        "steps: [{decide: accept, by: ann}, {decide: approve, by: bob}]",
        "decide: 'bob' may not",
        id="not-allowed",
    ),
    pytest.param(
        "steps: [{decide: accept, by: ann, refused: not_allowed}]",
        "decide was expected to be refused as 'not_allowed', and was not",
        id="not-refused",
    ),
    pytest.param(
        "steps: [{decide: revise, by: ann, refused: not_allowed}]",
        "(comment); expected to be refused as 'not_allowed'",
        id="refused-otherwise",
    ),
    pytest.param(
        "agents: {post: {error: no stamps}}, steps: [" + SIGNED + "]",
        "agent of state 'post' failed: no stamps (agent_error); expect 'status: failed' where that is meant",
        id="failed",
    ),
    pytest.param(
        "agents: {write: {python: 'letters:wirte'}}",
        "the agent of 'write' cannot be made up: python function 'letters:wirte'",
        id="no-function",
    ),
]


@pytest.mark.parametrize(("rest", "message"), FAILING)
def test_what_is_not_so_is_told(desk: Desk, rest: str, message: str) -> None:
    ((line, told),) = desk.failures(one(rest))

    assert line == 1
    assert message in told


def test_an_input_that_is_refused_is_told(desk: Desk) -> None:
    assert desk.failures("  - {name: one, input: {pages: many}}\n")[0][1].startswith("the run does not start: ")


def test_a_start_that_must_be_refused_can_be_expected(desk: Desk) -> None:
    refused = "  - {name: one, input: {pages: many}, expect: {refused: %s}}\n"

    assert desk.failures(refused % "input") == []
    assert desk.failures(refused % "invalid") == []
    ((_, told),) = desk.failures(refused % "conflict")
    assert told.startswith("the run does not start: ")
    assert told.endswith("(input); expected to be refused as 'conflict'")
    assert desk.failures(one("expect: {refused: input}")) == [
        (1, "the run was expected to be refused as 'input', and was started")
    ]


@pytest.mark.parametrize("step", ["assign: [eva]", "extend: 1h", "move: post", "cancel: true"])
def test_who_steers_need_not_be_named_also_where_nobody_is_an_operator(desk: Desk, step: str) -> None:
    steps = f"steps: [{{decide: accept, by: ann}}, {{{step}}}]"

    assert desk.failures(one(steps), HEAD.replace(", olga: [operator]", "")) == []


def test_an_agent_that_the_scenario_forgot_is_told_even_where_its_failure_leads_on(desk: Desk) -> None:
    ((line, told),) = desk.failures(
        f"  - name: one\n    {START}\n    steps:\n      - {{advance: 5d}}\n    expect: {{state: lost}}\n",
        "workflow: letter.yaml\nscenarios:\n",
    )

    assert line == 1
    assert told == (
        "the agent of 'write' ran, and the scenario does not say what it gives;"
        " add 'write' to its agents, with {real: true} to run the real one"
    )


def test_that_the_run_failed_is_told_beside_what_is_not_so(desk: Desk) -> None:
    fails = "agents: {post: {error: no paper}}"

    (_, (line, told)) = desk.failures(one(f"steps: [{SIGNED}], {fails}, expect: {{state: sent}}"))

    assert (line, told) == (1, "the run failed in 'post': agent of state 'post' failed: no paper (agent_error)")


def test_each_mismatch_has_the_line_of_what_was_expected(desk: Desk) -> None:
    found = desk.failures(
        f"  - name: one\n    {START}\n    steps:\n      - expect:\n"
        "          state: sign\n          visits: {write: 3}\n"
    )

    assert found == [(5, "state is 'review', expected 'sign'"), (6, "visits.write is 1, expected 3")]


def test_all_that_is_not_so_at_the_end_is_told(desk: Desk) -> None:
    found = desk.failures(f"  - name: one\n    {START}\n    expect:\n      state: sign\n      outcome: success\n")

    assert [line for line, _ in found] == [4, 5]


def test_texts_of_several_lines_are_compared_line_by_line(desk: Desk) -> None:
    ((_, told),) = desk.failures(one('agents: {write: "a\\nb\\nc"}, expect: {artifacts: {text: "a\\nx\\nc"}}'))

    assert told.splitlines() == [
        "artifacts.text differs:",
        "--- expected",
        "+++ found",
        "@@ -1,3 +1,3 @@",
        " a",
        "-x",
        "+b",
        " c",
    ]


def test_long_texts_are_shown_where_they_part(desk: Desk) -> None:
    ((_, told),) = desk.failures(
        one(f"agents: {{write: '{'a' * 300}b'}}, expect: {{artifacts: {{text: '{'a' * 300}c'}}}}")
    )

    assert told == f"artifacts.text is '{'a' * 20}b' from character 281 on, expected '{'a' * 20}c'"


def test_a_function_of_the_project_stands_in_for_an_agent_as_an_agent_does(desk: Desk) -> None:
    (desk.folder / "mocks.py").write_text(
        "from holdpoint import Context\n"
        "async def write(context: Context, pages: int) -> str:\n"
        "    return f'{context.state}, {pages} pages, visit {context.visit}'\n"
    )
    agents = "agents: {write: [first, {python: 'mocks:write'}]}"

    assert (
        desk.failures(
            one(
                f"{agents}, steps: [{{decide: revise, by: ann, comment: more}}],"
                " expect: {artifacts: {text: 'write, 2 pages, visit 2'}}"
            )
        )
        == []
    )


def test_a_real_agent_runs_where_the_scenario_says_so(desk: Desk) -> None:
    (desk.folder / "letters.py").write_text("def write(pages: int) -> str:\n    return 'really ' * pages\n")

    assert desk.failures(one("agents: {write: {real: true}}, expect: {artifacts: {text: 'really really '}}")) == []


def test_the_agents_of_a_project_are_found_from_a_folder_of_workflows(desk: Desk) -> None:
    (desk.folder / "letters.py").write_text("def write(pages: int) -> str:\n    return 'really'\n")
    below = desk.folder / "flows"
    below.mkdir()
    (desk.folder / "letter.yaml").rename(below / "letter.yaml")

    desk.write(one("agents: {write: {real: true}}, expect: {artifacts: {text: really}}"), name="flows/letter")

    assert desk.flow("test", "flows")[0] == 0


def test_days_are_those_of_the_workflow(desk: Desk) -> None:
    """In Rome the night to 25 October 2026 is an hour longer: two days there are 49 hours."""
    scenario = one("start: '2026-10-24T07:00:00Z', steps: [{advance: 2d}], expect: {state: sign}")

    assert desk.failures(scenario) == []


def test_nothing_of_a_scenario_is_left_behind_for_the_next(desk: Desk) -> None:
    twice = one("expect: {visits: {write: 1}}") + one("expect: {visits: {write: 1}}").replace("one", "two")

    assert [played.passed for played in desk.play(twice).played] == [True, True]
    assert sorted(path.name for path in desk.folder.iterdir()) == ["flow.toml", "letter.scenarios.yaml", "letter.yaml"]


def test_why_an_agent_failed_is_told_where_a_decision_comes_before_its_next_attempt(desk: Desk) -> None:
    [(_, message)] = desk.failures(
        "  - {name: one, input: {pages: 1}, agents: {write: {error: no paper}},"
        " steps: [{decide: accept, at: review, by: ann}]}\n"
    )

    assert "its agent failed (" in message
    assert "no paper" in message
    assert "attempt 2 of 2 follows at " in message
