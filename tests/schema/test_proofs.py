"""What is proved of every run: for each claim workflows that fail it, where they do, and the same mended."""

from __future__ import annotations

import pytest

from holdpoint.engine.errors import Finding
from holdpoint.schema import check, check_text
from holdpoint.schema.proofs import CLAIMS, Proof

HERE = "¦"  # stands before the place of the finding

SHIP = """\
workflow: ship
states:
  build:
    type: agent
    command: [make]
    artifact: package
    next: gate
  gate:
    type: approval
    show: [package]
    on: {approve: publish, reject: refused}
    timeout: 2d
    default: reject
  publish:
    type: agent
    command: [publish, "{{ artifacts.package }}"]
    effect: ¦irreversible
    on: {done: published, error: refused}
  published: {type: end}
  refused: {type: end, outcome: failure}
"""


def proved(text: str) -> tuple[dict[str, Proof], tuple[Finding, ...]]:
    """The proofs of a workflow by claim, and what was found in it."""
    checked = check(text.replace(HERE, ""), "w.yaml")
    return {proof.claim: proof for proof in checked.proofs}, checked.findings


def place(text: str) -> tuple[int, int]:
    """The line and column that a text marks."""
    before = text[: text.index(HERE)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def edited(*changes: tuple[str, str]) -> str:
    """The workflow with some texts replaced."""
    text = SHIP
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_every_claim_about_a_sound_workflow_is_proved() -> None:
    proofs, findings = proved(SHIP)

    assert findings == ()
    assert list(proofs) == list(CLAIMS)
    assert all(proof.holds for proof in proofs.values())
    assert proofs["person"].reason == "'publish' after 'gate'"
    assert proofs["silence"].reason.startswith("unattended: at most 2d, besides 10m of agents' attempts: build → gate")
    assert proofs["silence"].path == ("build", "gate", "refused")


@pytest.mark.parametrize(
    ("after_crash", "said"),
    [
        pytest.param("", "anyone", id="silent"),
        pytest.param("after_crash: ask", "anyone", id="ask"),
        pytest.param("after_crash: {ask: {assign: [ann]}}", "somebody who is assigned", id="people"),
        pytest.param("after_crash: {ask: {timeout: never}}", "anyone", id="never"),
        pytest.param("after_crash: {ask: {timeout: 4h, default: fail}}", None, id="timeout"),
        pytest.param("after_crash: fail", None, id="fail"),
    ],
)
def test_a_question_after_a_crash_without_a_time_limit_is_named(after_crash: str, said: str | None) -> None:
    irreversible = f"    effect: {HERE}irreversible\n"

    proofs, findings = proved(edited((irreversible, f"{irreversible}    {after_crash}\n")))

    reason = proofs["silence"].reason
    assert findings == ()
    assert reason.partition("; left aside: ")[2] == (
        f"after a crash of 'publish' {said} is asked, for ever" if said else ""
    )


# -- nothing irreversible without a person

UNAPPROVED = [
    pytest.param((("next: gate", "next: publish"),), "HP301", "build → publish", id="no-gate"),
    pytest.param(
        (("default: reject", "default: approve"),),
        "HP301",
        "silence at 'gate' is no person's approval: build → gate (approve, when nobody answers) → publish",
        id="silence-approves",
    ),
    pytest.param(
        (("reject: refused}\n    timeout: 2d\n    default: reject", "timeout: publish}\n    timeout: 2d"),),
        "HP301",
        "build → gate (timeout, when nobody answers) → publish",
        id="timeout-edge",
    ),
    pytest.param(
        (("approve: publish, reject: refused", "approve: refused, reject: publish"),), "HP301", "(reject)", id="swapped"
    ),
    pytest.param((("approve: publish", "hold: publish"),), "HP301", "gate (hold) → publish", id="not-an-approval"),
    pytest.param(
        (
            ("type: approval\n    show: [package]", "type: form\n    form: {type: object}"),
            ("approve: publish, reject: refused", "submit: publish"),
            ("default: reject", "default: submit"),
        ),
        "HP301",
        "gate (submit) → publish",
        id="a-form-asks-and-does-not-release",
    ),
    pytest.param((("states:\n", "on_cancel: publish\nstates:\n"),), "HP301", "before it: publish", id="on-cancel"),
    pytest.param(
        (
            ("approve: publish", "approve: touch"),
            (
                "  published:",
                "  touch: {type: agent, command: [touch], artifact: package, next: publish}\n  published:",
            ),
        ),
        "HP302",
        "what 'gate' approved is not what it finds: 'touch' makes the artifact 'package' anew in between: "
        "build → gate (approve) → touch → publish",
        id="made-anew",
    ),
    pytest.param(
        # Neither of two approvals, one behind the other, covers what is made anew after both.
        (
            ("approve: publish", "approve: once_more"),
            (
                "  published:",
                "  once_more:\n    type: approval\n    show: [package]\n    on: {approve: touch, reject: refused}\n"
                "    timeout: 2d\n    default: reject\n"
                "  touch: {type: agent, command: [touch], artifact: package, next: publish}\n  published:",
            ),
        ),
        "HP302",
        "'touch' makes the artifact 'package' anew",
        id="made-anew-behind-two",
    ),
    pytest.param(
        (
            ("approve: publish", "approve: polish"),
            (
                "  published:",
                "  polish: {type: agent, command: [x], next: again}\n  again:\n    type: return\n"
                "    show: [package]\n    on: {accept: refused, revise: publish}\n    timeout: 1d\n"
                "    default: accept\n  published:",
            ),
        ),
        "HP302",
        "'again' makes the artifact 'package' anew",
        id="sent-back-with-an-edit",
    ),
    pytest.param(
        (
            ("approve: publish", "approve: rebuild"),
            ("show: [package]", 'show: {Result: "{{ build.size }}"}'),
            ("  published:", "  rebuild: {type: agent, value: 1, next: build}\n  published:"),
            ("next: gate", 'on: {done: [{to: gate, when: "gate is none"}, {to: publish}]}'),
        ),
        "HP302",
        "'build' makes the result of 'build' anew in between",
        id="a-shown-result-made-anew",
    ),
]


SILENCE_APPROVES = ("default: reject", "default: approve")


@pytest.mark.parametrize(
    ("guard", "is_proved"),
    [
        ("gate.by_kind == 'human'", True),
        ("gate.by_kind != 'timer'", True),
        ("gate.by is not none", True),
        ("none != gate.by", True),
        ("not (gate.by_kind == 'timer' or gate.decision == 'reject')", True),
        ("gate.by_kind == 'timer'", False),
        ("gate.by_kind != 'operator'", False),
        ("gate.by == none", False),
        ("gate.by == 'ann' or gate.by_kind == 'timer'", False),
    ],
)
def test_a_condition_may_tell_a_person_from_a_deadline(guard: str, is_proved: bool) -> None:
    guarded = f'approve: [{{to: publish, when: "{guard}"}}, {{to: refused}}]'

    proofs, findings = proved(edited(SILENCE_APPROVES, ("approve: publish", guarded)))

    assert proofs["person"].holds is is_proved
    assert [finding.code for finding in findings if finding.code == "HP301"] == ([] if is_proved else ["HP301"])


@pytest.mark.parametrize(("changes", "code", "words"), UNAPPROVED)
def test_effect_that_no_person_approved_is_an_error(
    changes: tuple[tuple[str, str], ...], code: str, words: str
) -> None:
    text = edited(*changes)

    proofs, findings = proved(text)

    found = [finding for finding in findings if finding.code in ("HP301", "HP302")]
    assert [(finding.code, finding.severity) for finding in found] == [(code, "error")]
    assert (found[0].line, found[0].column) == place(text)
    assert words in found[0].message
    assert not proofs["person"].holds
    assert proofs["person"].path[-1] == "publish"
    assert check_text(text.replace(HERE, ""), "w.yaml")[0] is None


@pytest.mark.parametrize(("changes", "code", "words"), UNAPPROVED)
def test_author_may_say_that_no_person_need_stand_before_it(
    changes: tuple[tuple[str, str], ...], code: str, words: str
) -> None:
    text = edited(*changes, ("effect: ¦irreversible\n", "effect: irreversible\n    unattended: allowed\n"))

    proofs, findings = proved(text)

    assert not [finding for finding in findings if finding.code == code]
    assert proofs["person"].holds
    assert "'publish' may run unattended" in proofs["person"].reason


APPROVED = [
    pytest.param((("approve: publish", "ship_it: publish"),), id="an-option-of-ones-own"),
    pytest.param(
        (
            ("type: approval", "type: return"),
            ("approve: publish, reject: refused", "accept: publish, revise: build"),
            ("default: reject", "on_silence: 1"),
        ),
        id="accept",
    ),
    pytest.param(
        # A second approval after what was made anew.
        (
            ("approve: publish", "approve: touch"),
            (
                "  published:",
                "  touch: {type: agent, command: [touch], artifact: package, next: second}\n"
                "  second:\n    type: approval\n    show: [package]\n"
                "    on: {approve: publish, reject: gate}\n    timeout: 1d\n    default: reject\n"
                "  published:",
            ),
        ),
        id="approved-again",
    ),
    pytest.param(
        # What the gate did not show may be made anew.
        (
            ("approve: publish", "approve: touch"),
            ("  published:", "  touch: {type: agent, command: [touch], artifact: log, next: publish}\n  published:"),
            ('[publish, "{{ artifacts.package }}"]', '[publish, "{{ artifacts.log }}"]'),
        ),
        id="something-else-made-anew",
    ),
    pytest.param(
        # Both options lead on; what was decided is asked for later.
        (
            ("approve: publish, reject: refused", "approve: after, reject: after"),
            (
                "  published:",
                "  after:\n    type: agent\n    value: 1\n    on:\n      done:\n"
                "        - {to: publish, when: \"gate.decision == 'approve' and gate.by_kind != 'timer'\"}\n"
                "        - {to: refused}\n  published:",
            ),
        ),
        id="decision-asked-for-later",
    ),
    pytest.param(
        # A loop by which the package is made anew leads through the gate again.
        (("on: {done: published, error: refused}", "on: {done: published, error: build}"),),
        id="loop-through-the-gate",
    ),
    pytest.param(
        # An attempt that failed is made again with the same package.
        (
            (
                "on: {done: published, error: refused}",
                'on: {done: published, error: [{to: publish, when: "visits.publish < 3"}, {to: refused}]}',
            ),
        ),
        id="tried-again",
    ),
]


@pytest.mark.parametrize("changes", APPROVED)
def test_effect_that_a_person_approved_is_proved(changes: tuple[tuple[str, str], ...]) -> None:
    text = edited(*changes).replace("    on_silence: 1\n", "    default: accept\n")
    if "accept: publish" in text:
        text = text.replace("default: accept", "default: reject").replace(
            "revise: build", "revise: build, reject: refused"
        )

    proofs, findings = proved(text)

    assert [str(finding) for finding in findings if finding.severity == "error"] == []
    assert proofs["person"].holds, proofs["person"].reason


# -- a run ends though nobody answers, and nothing goes round unbounded

LOOP = """\
workflow: loop
input: {{type: object, required: [rounds], properties: {{rounds: {{type: integer, maximum: 9}}}}}}
states:
  try_it: {{type: agent, command: [try], on: {{done: good, error: {target}}}}}
  rest: {{type: wait, for: 1h, next: try_it}}
  ask:
    type: approval
    on: {{approve: good, reject: try_it}}
    timeout: 1d
    default: {default}
  good: {{type: end}}
  bad: {{type: end, outcome: failure}}
"""


@pytest.mark.parametrize(
    ("target", "default", "code", "way"),
    [
        pytest.param("¦try_it", "approve", "HP311", "try_it → try_it", id="agent-alone"),
        pytest.param("rest", "approve", "HP311", "try_it → rest → try_it", id="agent-and-wait"),
        pytest.param(
            '[{to: ask, when: "visits.ask < 2"}, {to: ¦try_it}]',
            "approve",
            "HP311",
            "try_it → try_it",
            id="other-counter",
        ),
        pytest.param(
            '[{to: ¦try_it, when: "visits.try_it > 2"}, {to: ask}]',
            "approve",
            "HP311",
            "try_it → try_it",
            id="lower-bound",
        ),
        pytest.param(
            '[{to: ¦try_it, when: "visits.try_it < 3 or input.rounds > 2"}, {to: ask}]',
            "approve",
            "HP311",
            "try_it → try_it",
            id="or",
        ),
        pytest.param("ask", "reject", "HP310", "try_it → ask (reject, when nobody answers) → try_it", id="default"),
    ],
)
def test_cycle_without_a_bound_is_named_with_its_path(target: str, default: str, code: str, way: str) -> None:
    text = LOOP.format(target=target, default=default)

    proofs, findings = proved(text)

    found = [finding for finding in findings if finding.code in ("HP310", "HP311")]
    assert [finding.code for finding in found] == [code]
    assert found[0].message.endswith(f": {way}")
    if HERE in text:
        assert (found[0].line, found[0].column) == place(text)
    assert found[0].severity == ("error" if code == "HP311" else "warning")
    assert not proofs["silence"].holds
    assert proofs["cycle"].holds == (code == "HP310")


@pytest.mark.parametrize(
    ("target", "figure"),
    [
        pytest.param("bad", "no waiting", id="no-cycle"),
        pytest.param("ask", "at most 1d", id="person"),
        pytest.param('[{to: rest, when: "visits.try_it < 3"}, {to: bad}]', "at most 2h", id="bounded"),
        pytest.param(
            '[{to: bad, when: "visits.try_it >= 3"}, {to: rest}]', "at most 2h", id="bounded-by-what-was-refused"
        ),
        pytest.param(
            "[{to: rest, when: \"1 <= visits.try_it < 3 and now != ''\"}, {to: bad}]", "at most 2h", id="chained"
        ),
        pytest.param('[{to: rest, when: "3 > visits.rest + 1"}, {to: bad}]', "at most 2h", id="other-side"),
        pytest.param('[{to: rest, when: "not (visits.try_it > 3)"}, {to: bad}]', "at most 3h", id="negated"),
        pytest.param(
            '[{to: rest, when: "visits.try_it < input.rounds"}, {to: bad}]',
            "at most 1h, and again in each round that the input allows",
            id="bounded-by-the-input",
        ),
    ],
)
def test_longest_silence_is_told(target: str, figure: str) -> None:
    proofs, findings = proved(LOOP.format(target=target, default="approve"))

    assert [finding.code for finding in findings if finding.code in ("HP310", "HP311")] == []
    assert proofs["silence"].holds
    assert proofs["cycle"].holds
    assert figure in proofs["silence"].reason.replace(", besides", " besides")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("timeout: 1d\n    default: approve", "timeout: never", id="never"),
        pytest.param(
            "ask:\n    type: approval\n    on: {approve: good, reject: try_it}\n    timeout: 1d\n    default: approve",
            "ask: {type: wait, signal: go, on: {received: good}, timeout: never}",
            id="signal",
        ),
    ],
)
def test_state_that_waits_for_ever_is_named_though_it_is_no_finding(old: str, new: str) -> None:
    text = LOOP.format(target="ask", default="approve")
    assert old in text

    proofs, findings = proved(text.replace(old, new))

    assert [finding.code for finding in findings if finding.code not in ("HP250",)] == []
    assert not proofs["silence"].holds
    assert proofs["silence"].path == ("try_it", "ask")
    assert "'ask' waits for a" in proofs["silence"].reason


# -- what is read before it is there


@pytest.mark.parametrize(
    ("how", "code"),
    [
        pytest.param("timeout: 1d\n    on: {submit: told, timeout: told}", "HP254", id="timeout-edge"),
        pytest.param(
            "timeout: 1d\n    default: {decision: submit, answers: {size: 1}}\n    next: told", None, id="default"
        ),
        pytest.param("timeout: never\n    next: told", None, id="never"),
    ],
)
def test_answers_that_nobody_gave_are_none(how: str, code: str | None) -> None:
    text = (
        "workflow: ask\nstates:\n  ask:\n    type: form\n"
        "    form: {type: object, required: [size], properties: {size: {type: integer}}}\n"
        f'    {how}\n  told: {{type: end, output: "{{{{ ask.answers.size if ask else 0 }}}}"}}\n'
    )

    _, findings = proved(text)

    assert [finding.code for finding in findings] == ([code] if code else [])


# -- states, ends and people


def test_state_that_only_a_decision_could_open_which_nobody_can_make_is_not_reached() -> None:
    text = SHIP.replace("publish, reject: refused}\n", "publish, reject: check}\n").replace(
        "  published:",
        "  check:\n    type: agent\n    value: 1\n"
        "    on: {done: [{to: never, when: \"gate.decision == 'approve'\"}, {to: refused}]}\n"
        "  never: {type: end}\n  published:",
    )

    proofs, findings = proved(text)

    assert [(finding.code, finding.message) for finding in findings] == [("HP250", "state 'never' cannot be reached")]
    assert not proofs["reach"].holds


def test_trap_that_only_one_decision_leads_into_is_found() -> None:
    targets = "[{to: trap, when: \"gate.decision == 'reject'\"}, {to: refused}]"
    trap = f"  trap: {{type: agent, value: 1, on: {{done: {targets}}}}}\n"
    text = SHIP.replace("reject: refused}\n", "reject: trap}\n").replace("  published:", f"{trap}  published:")

    proofs, findings = proved(text)

    assert [finding.code for finding in findings if finding.severity == "error"] == ["HP251"]
    assert not proofs["end"].holds
    assert proofs["end"].path == ("build", "gate", "trap")


PEOPLE = {"dora": ["manager"], "eli": ["manager", "auditor"], "fay": []}


@pytest.mark.parametrize(
    ("assign", "exclude", "code"),
    [
        pytest.param("[alice]", "[alice]", "HP238", id="person"),
        pytest.param("[initiator]", "[initiator]", "HP238", id="initiator"),
        pytest.param('["role:manager"]', '["role:manager"]', "HP238", id="role"),
        pytest.param("{approve: [alice], reject: [bob]}", "[bob]", "HP238", id="by-option"),
        pytest.param('["role:manager"]', "[dora, eli]", "HP239", id="all-holders"),
        pytest.param('["role:manager"]', '["role:auditor", dora]', "HP239", id="holder-by-role"),
        pytest.param("[eli]", '["role:auditor"]', "HP239", id="person-by-role"),
        pytest.param('["role:manager"]', "[dora]", None, id="one-left"),
        pytest.param("[alice, bob]", "[alice]", None, id="another"),
        pytest.param('["{{ run.initiator }}"]', "[alice]", None, id="not-known"),
    ],
)
def test_request_that_nobody_may_decide_is_found(assign: str, exclude: str, code: str | None) -> None:
    text = SHIP.replace("    show: [package]\n", f"    show: [package]\n    assign: {assign}\n    exclude: {exclude}\n")

    checked = check(text.replace(HERE, ""), "w.yaml", PEOPLE)

    assert [finding.code for finding in checked.findings] == ([code] if code else [])
    by_claim = {proof.claim: proof for proof in checked.proofs}
    assert code == "HP238" or by_claim["deciders"].holds == (code is None)


@pytest.mark.parametrize(
    ("assign", "exclude", "who"),
    [
        pytest.param('["role:auditor"]', "[initiator]", "eli", id="the-only-holder"),
        pytest.param('["role:manager"]', "[initiator, dora]", "eli", id="the-only-one-left"),
        pytest.param("{approve: [fay], reject: [dora, eli]}", "[initiator]", "fay", id="of-an-option"),
        pytest.param('["role:manager"]', "[initiator]", None, id="two"),
        pytest.param('["role:auditor"]', "[dora]", None, id="the-initiator-may"),
        pytest.param('["{{ run.initiator }}"]', "[initiator]", None, id="not-known"),
    ],
)
def test_the_only_one_who_may_decide_is_named_where_the_initiator_is_excluded(
    assign: str, exclude: str, who: str | None
) -> None:
    text = SHIP.replace("    show: [package]\n", f"    show: [package]\n    assign: {assign}\n    exclude: {exclude}\n")

    (proof,) = (one for one in check(text.replace(HERE, ""), "w.yaml", PEOPLE).proofs if one.claim == "deciders")

    exception = f"; but for runs that {who!r} starts: nobody else may decide 'gate'" if who else ""
    assert (proof.holds, proof.reason) == (True, f"nobody who is needed is excluded{exception}")


# -- real definitions with known faults, written as ours


def test_callback_without_a_timeout_is_found() -> None:
    """The usual sample of a human approval on AWS Step Functions waits for its callback without a timeout."""
    text = """\
workflow: human-approval
input: {type: object, required: [email], properties: {email: {type: string}}}
states:
  send_mail: {type: agent, command: [mail, "{{ input.email }}"], next: wait_for_callback}
  wait_for_callback:
    type: wait
    signal: [approved, rejected]
    on: {approved: done_it, rejected: refused}
  done_it: {type: end}
  refused: {type: end, outcome: failure}
"""

    proofs, findings = proved(text)

    assert [(finding.code, finding.line) for finding in findings] == [("HP215", 5)]
    assert "waits for a signal without a timeout" in findings[0].message
    assert proofs["silence"].path == ("send_mail", "wait_for_callback")


def test_thirty_days_written_as_a_time_are_found() -> None:
    """An example of the CNCF Serverless Workflow specification writes a deadline of 30 days as `PT30D`."""
    text = SHIP.replace("timeout: 2d", "timeout: ¦PT30D")

    document, findings = check_text(text.replace(HERE, "", 1).replace(HERE, ""), "w.yaml")

    assert document is None
    assert [(finding.code, finding.line, finding.column) for finding in findings] == [("HP216", *place(text))]
    assert "P30D" in findings[0].message + findings[0].fix


def test_runaway_behind_a_cycle_of_people_is_found_too() -> None:
    targets = '[{to: ¦try_it, when: "visits.ask < 2"}, {to: ask}]'
    text = LOOP.format(target=targets, default="reject")

    proofs, findings = proved(text)

    assert [(finding.code, finding.line, finding.column) for finding in findings if finding.severity == "error"] == [
        ("HP311", *place(text))
    ]
    assert proofs["silence"].path == proofs["cycle"].path == ("try_it", "try_it")
