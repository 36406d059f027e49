"""Tests of the findings: each fault planted in a clean workflow is found where it stands, and nothing else is."""

from __future__ import annotations

import re

import pytest

from holdpoint.engine.errors import Finding
from holdpoint.schema import check_text
from holdpoint.schema.codes import CODES

HERE = "¦"  # stands before the place of the finding
_UNDO = 'value: "{{ deploy.version if deploy else none }}"'


def plant(text: str, old: str, new: str) -> tuple[str, int, int]:
    """The text with a fault in it, and the line and column that the fault marks."""
    assert text.count(old) >= 1, old
    marked = text.replace(old, new, 1)
    before = marked[: marked.index(HERE)]
    return marked.replace(HERE, ""), before.count("\n") + 1, len(before) - before.rfind("\n")


def found(text: str) -> tuple[Finding, ...]:
    _, findings = check_text(text, "w.yaml")
    return findings


# In the expense workflow: what is replaced by what, the code, and a part of the finding's text.
SHAPE = [
    pytest.param("title:", "¦titel:", "HP101", "unknown key 'titel'; did you mean 'title'? allowed: ", id="top-key"),
    pytest.param("with: {amount", "¦wiht: {amount", "HP101", "'wiht' in state 'draft'; did you mean 'with'?", id="key"),
    pytest.param("max_returns: 3", "¦retry: {}", "HP101", "only states of type agent have it", id="key-of-other-type"),
    pytest.param("{to: director, when", "{to: director, ¦if", "HP101", "allowed: to, when", id="key-of-target"),
    pytest.param("revise: draft}", "¦refuse: pay, revise: draft}", "HP101", "unknown option 'refuse'", id="option"),
    pytest.param("workflow: expense-approval", "¦description: x", "HP102", "the key 'workflow' is missing", id="name"),
    pytest.param(
        "  draft:\n    type: agent",
        "  draft:\n    ¦title: x",
        "HP102",
        "add 'type: …'; allowed: agent, approval",
        id="no-type",
    ),
    pytest.param(
        "{accept: manager, revise", "¦{accept: manager, reject", "HP102", "the option 'revise' is missing", id="revise"
    ),
    pytest.param("{to: pay}", "¦{when: 'true'}", "HP102", "the key 'to' is missing", id="target-without-state"),
    pytest.param("timezone: Europe/Rome", "timezone: ¦1", "HP103", 'must be a text, not 1; quote it: "1"', id="number"),
    pytest.param("timeout: 2d", "timeout: ¦true", "HP103", 'not true; quote it: "true"', id="boolean"),
    pytest.param("timeout: 2d", "timeout: ¦5", "HP103", "not 5; write its unit, such as '5s'", id="duration-number"),
    pytest.param("[python, pay.py]", "[python, ¦5]", "HP103", "'command[1]' of state 'pay'", id="argument"),
    pytest.param(
        "[python, pay.py]",
        "¦python 'pay it.py'",
        "HP103",
        """not the text "python 'pay it.py'"; write a list: [python, pay it.py]""",
        id="list",
    ),
    pytest.param('["role:director"]', "[¦role: director]", "HP103", 'quote it: "role:director"', id="colon"),
    pytest.param("next: paid", "next:¦ ", "HP103", "must be a text or a list, not nothing", id="empty"),
    pytest.param(
        "type: return", "type: ¦retrun", "HP104", "did you mean 'return'? allowed: agent, approval", id="type"
    ),
    pytest.param("effect: irreversible", "effect: ¦maybe", "HP104", "allowed: none, irreversible", id="effect"),
    pytest.param("outcome: failure", "outcome: ¦failed", "HP104", "did you mean 'failure'?", id="outcome"),
    pytest.param(
        "workflow: expense-approval", "workflow: ¦Expense", "HP105", "'Expense' is not well formed", id="case"
    ),
    pytest.param("workflow: expense-approval", 'workflow: ¦"x\\n"', "HP105", "not well formed", id="line-break"),
    pytest.param("  pay:\n", "  ¦Pay:\n", "HP105", "the state name 'Pay' is not well formed", id="state-name"),
    pytest.param(
        "  pay:\n", "  ¦p\u0430y:\n", "HP105", "has the character U+0430 CYRILLIC SMALL LETTER A", id="confusable"
    ),
    pytest.param("reject: refused", "¦Reject: refused", "HP105", "the option 'Reject'", id="option-name"),
    pytest.param("artifact: report", "artifact: ¦my report", "HP105", "'my report'", id="artifact-name"),
    pytest.param("expenses.agents:draft_report", "¦expenses.agents", "HP105", "package.module:function", id="python"),
    pytest.param(
        "artifact: report", "¦value: 1", "HP106", "has 'python' and 'value'; write exactly one of", id="two-kinds"
    ),
    pytest.param(
        "python: expenses", "title: x\n    description: expenses", "HP106", "has none of python, command", id="no-kind"
    ),
    pytest.param("max_returns: 3", "max_returns: ¦0", "HP107", "must be at least 1, not 0", id="max-returns"),
    pytest.param('assign: ["role:manager"]', "assign: ¦[]", "HP107", "must have at least 1 item", id="assign-nobody"),
    pytest.param("  paid: {", "  ¦run: {", "HP108", "the state name 'run' is reserved", id="reserved-state"),
]

MEANING = [
    pytest.param(
        "initial: draft",
        "initial: ¦drift",
        "HP201",
        "state 'drift' does not exist; did you mean 'draft'?",
        id="initial",
    ),
    pytest.param("next: review", "next: ¦reviwe", "HP201", "did you mean 'review'? allowed: draft, review", id="next"),
    pytest.param("{to: pay}", "{to: ¦pya}", "HP201", "state 'pya' does not exist", id="target"),
    pytest.param(
        '{to: director, when: "input.amount > 5000"}', "{to: ¦director}", "HP202", "never taken", id="no-when"
    ),
    pytest.param("next: paid", "title: x", "HP203", "goes nowhere when it is done", id="no-done"),
    pytest.param(
        "    on: {approve: pay, reject: refused}\n    timeout: 48h\n    default: reject\n",
        "    ¦on: {timeout: pay}\n    timeout: 48h\n",
        "HP203",
        "no option for a person",
        id="no-option",
    ),
    pytest.param(
        "{approve: pay, reject", "{¦done: pay, reject", "HP204", "done, error, received, timeout are not", id="done"
    ),
    pytest.param(
        "next: paid", "¦next: paid\n    on: {done: paid}", "HP205", "both 'next' and 'on.done'", id="next-and-done"
    ),
    pytest.param("    default: accept\n", "", "HP210", "leads nowhere; add 'default: OPTION'", id="timeout-alone"),
    pytest.param(
        "revise: draft}", "revise: draft, timeout: pay}", "HP210", "both a 'default' and an edge", id="default-and-edge"
    ),
    pytest.param(
        "    timeout: 2d\n    default", "    ¦default", "HP211", "without 'timeout' it never does", id="default-alone"
    ),
    pytest.param("timeout: 2d", "timeout: never", "HP211", "with 'timeout: never' it never does", id="never"),
    pytest.param(
        "default: accept", "default: ¦approve", "HP212", "'approve' is not an option of state 'review'", id="default"
    ),
    pytest.param(
        "default: accept", "default: {decision: ¦acept}", "HP212", "did you mean 'accept'?", id="default-mapping"
    ),
    pytest.param("default: accept", "default: ¦revise", "HP213", "allowed: accept", id="default-revise"),
    pytest.param("default: accept", "default: {decision: accept, ¦answers: {}}", "HP214", "has no form", id="answers"),
    pytest.param("timeout: 2d", "timeout: ¦12:30:00", "HP216", "'12:30:00'", id="time-of-day"),
    pytest.param("timeout: 2d", "timeout: ¦0s", "HP216", "zero", id="zero"),
    pytest.param("timeout: 2d", "timeout: ¦'-1d'", "HP216", "negative", id="negative"),
    pytest.param("timeout: 2d", "timeout: ¦1.5h", "HP216", "fractions", id="fraction"),
    pytest.param("timeout: 2d", "timeout: ¦P1M", "HP216", "months", id="months"),
    pytest.param("effect: irreversible", "timeout: ¦soon", "HP216", "'soon'", id="agent-timeout"),
    pytest.param("Europe/Rome", "¦Europe/Roma", "HP217", "did you mean 'Europe/Rome'?", id="timezone"),
    pytest.param("Europe/Rome", "¦Europe", "HP217", "'Europe' is not known", id="timezone-folder"),
    pytest.param("Europe/Rome", "¦localtime", "HP217", "'localtime' is not known", id="timezone-of-the-machine"),
    pytest.param("Europe/Rome", "¦../x", "HP217", "'../x' is not known", id="timezone-path"),
    pytest.param("{type: string}", "{type: ¦strng}", "HP220", "did you mean 'string'?", id="schema-type"),
    pytest.param("[employee, amount]", "¦employee", "HP220", "must be of type array", id="schema-required"),
    pytest.param("{type: string}", '{pattern: ¦"("}', "HP220", "is not a regular expression", id="schema-pattern"),
    pytest.param("{type: string}", "{$schema: 'http://json-schema.org/draft-07/schema#'}", "HP220", "", id="dialect"),
    pytest.param(
        "{type: string}", "{$ref: ¦http://x/y}", "HP221", "does not lead to a part of its own", id="ref-remote"
    ),
    pytest.param(
        "{type: string}", '{$ref: ¦"#/$defs/x"}', "HP221", "does not lead to a part of its own", id="ref-nowhere"
    ),
    pytest.param("{type: string}", '¦{$ref: "#/properties/employee"}', "HP221", "go in a circle", id="ref-circle"),
    pytest.param("type: object\n", "type: ¦array\n", "HP222", "write 'type: object'", id="input-array"),
    pytest.param('["role:manager"]', '[¦"role:Manager"]', "HP230", "'role:Manager' is not a role", id="role"),
    pytest.param('["role:manager"]', '[¦"role:{{ input.employee }}"]', "HP230", "never rendered", id="rendered-role"),
    pytest.param('["role:manager"]', '[¦"team:x"]', "HP230", "'team:x'", id="person"),
    pytest.param(
        '["role:manager"]', "{¦aprove: [x], approve: [x], reject: [x]}", "HP231", "did you mean", id="assign-option"
    ),
    pytest.param(
        '    assign: ["role:manager"]', "    ¦assign: {approve: [x]}", "HP231", "leaves out 'reject'", id="assign-all"
    ),
    pytest.param(
        "show: [report]\n    assign", "show: [report, ¦invoice]\n    assign", "HP232", "allowed: report", id="show"
    ),
    pytest.param("show: [report]", "show: [¦reprot]", "HP233", "did you mean 'report'?", id="show-return"),
    pytest.param("max_returns: 3", "comment: [¦reject]", "HP234", "'reject' is not an option", id="comment"),
    pytest.param("input.amount > 5000", "input.amount >", "HP240", "", id="condition"),
    pytest.param("report of {{ input.employee }}", "report of {{ ¦}}", "HP240", "", id="template"),
    pytest.param(
        "report of {{ input.employee }}",
        "report of {{ ¦employee }}",
        "HP241",
        "did you mean 'input.employee'?",
        id="name",
    ),
    pytest.param(
        "input.amount > 5000", "¦inptu.amount > 5000", "HP241", "did you mean 'input'?", id="name-in-condition"
    ),
    pytest.param("input.amount > 5000", "input.employee == ¦ann", "HP241", "write 'ann' in quotes", id="no-quotes"),
    pytest.param(
        "report of {{ input.employee }}", "report of {{ ¦env.USER }}", "HP241", "arguments of an agent", id="env"
    ),
    pytest.param(
        "report of {{ input.employee }}", "report of {{ ¦output }}", "HP241", "parts of an artifact", id="output"
    ),
    pytest.param(
        "report of {{ input.employee }}", "report of {{ ¦paid }}", "HP241", "end state 'paid' has no", id="end-result"
    ),
    pytest.param(
        '"{{ artifacts.report }}"}\n    effect',
        '"{{ artifacts.¦reprot }}"}\n    effect',
        "HP241",
        "did you mean 'report'?",
        id="artifact",
    ),
    pytest.param("input.amount > 5000", "visits.¦reveiw > 3", "HP241", "did you mean 'review'?", id="visits"),
    pytest.param("review.comment if", "review.¦coment if", "HP242", "did you mean 'comment'?", id="decision-property"),
    pytest.param("input.amount > 5000", "input.¦amuont > 5000", "HP242", "did you mean 'amount'?", id="input-property"),
    pytest.param("input.amount > 5000", "run.¦name == 'x'", "HP242", "allowed: id, workflow", id="run-property"),
    pytest.param(
        "input.amount > 5000", "¦draft.total > 5000", "HP243", "read it as 'artifacts.report'", id="seen-result"
    ),
]

WARNINGS = [
    pytest.param(
        "    timeout: 2d\n    default: accept\n", "", "HP215", "waits for a person without a timeout", id="no-timeout"
    ),
    pytest.param(
        "  refused: {", "  ¦lost: {type: end}\n  refused: {", "HP250", "'lost' cannot be reached", id="unreachable"
    ),
    pytest.param("[python, pay.py]", "[¦python pay.py]", "HP209", "one by one: [python, pay.py]", id="one-word"),
    pytest.param("required: [", "¦requried: [", "HP223", "did you mean 'required'?", id="schema-keyword"),
    pytest.param(
        "    show: [report]\n", "    ¦show: {Report: '{{ artifacts.report }}'}\n", "HP208", "edited", id="show-labels"
    ),
]


def check_fault(clean: str, old: str, new: str, code: str, message: str, severity: str) -> None:
    is_marked = HERE in new
    text, line, column = plant(clean, old, new if is_marked else new + HERE)

    findings = found(text)

    assert [(finding.code, finding.severity) for finding in findings] == [(code, severity)]
    if is_marked:
        assert (findings[0].line, findings[0].column) == (line, column)
    assert message in str(findings[0])
    assert code in CODES


@pytest.mark.parametrize(("old", "new", "code", "message"), [*SHAPE, *MEANING])
def test_fault_is_found_where_it_stands_and_nothing_else_is(
    expense: str, old: str, new: str, code: str, message: str
) -> None:
    check_fault(expense, old, new, code, message, "error")


@pytest.mark.parametrize(("old", "new", "code", "message"), WARNINGS)
def test_doubtful_thing_is_a_warning(expense: str, old: str, new: str, code: str, message: str) -> None:
    check_fault(expense, old, new, code, message, "warning")


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        pytest.param("answers: {grade: 5}", "answers: {grade: ¦11}", "HP214", "11 is greater than", id="answer"),
        pytest.param("answers: {grade: 5}", "answers: ¦{}", "HP214", "'grade' is required", id="no-answer"),
        pytest.param(
            "default: {decision: approve, answers: {grade: 5}}", "default: ¦approve", "HP214", "answers: {…}", id="none"
        ),
        pytest.param(
            "      type: object\n      required: [grade]",
            "      type: ¦array\n      required: [grade]",
            "HP222",
            "",
            id="form",
        ),
        pytest.param("input.address.city", "input.address.¦town", "HP242", "allowed: city", id="closed-input"),
        pytest.param("maximum: 10", 'maximum: "{{ ¦nope }}"', "HP241", "'nope' is not known", id="rendered-form"),
        pytest.param("{{ output.text }}", "{{ ¦env.X }}", "HP241", "arguments of an agent", id="env-in-artifact"),
        pytest.param(
            'kind: "{{ input.kind }}", city', 'kind: "{{ ¦env.X }}", city', "HP241", "agent alone", id="env-in-value"
        ),
        pytest.param("{{ write.score }}", "{{ ¦write.text }}", "HP243", "artifacts.article", id="seen-part"),
        pytest.param("of {{ run.initiator }}", "of {{ run.¦initiato }}", "HP242", "'initiato'", id="in-a-block"),
        pytest.param(
            "after_crash: retry", "after_crash: ¦perhaps", "HP104", "allowed: retry, fail, ask", id="after-crash"
        ),
    ],
)
def test_fault_in_the_rich_workflow_is_found(rich: str, old: str, new: str, code: str, message: str) -> None:
    text, line, _ = plant(rich, old, new)

    findings = found(text)

    assert [(finding.code, finding.line) for finding in findings] == [(code, line)]
    assert message in str(findings[0])


# In the patient workflow: what is replaced by what, the code, and a part of the finding's text.
PATIENT = [
    pytest.param("{to: stopped}", "{to: ¦stoped}", "HP201", "did you mean 'stopped'?", id="cancel-target"),
    pytest.param("visits.deploy > 0", "visits.¦deplyo > 0", "HP241", "did you mean 'deploy'?", id="cancel-condition"),
    pytest.param(
        "{type: wait, for: 1w",
        "¦{type: wait, title: x",
        "HP106",
        "has none of for, until, signal",
        id="wait-for-nothing",
    ),
    pytest.param("for: 1w", "for: 1w, ¦signal: paid", "HP106", "'for' and 'signal'", id="wait-for-two"),
    pytest.param("for: 1w", "for: ¦0s", "HP216", "zero", id="wait-for-zero"),
    pytest.param("for: 1w", "for: ¦7", "HP103", "write its unit, such as '7s'", id="wait-without-unit"),
    pytest.param("for: 1w", "for: 1w, ¦timeout: 1d", "HP206", "'timeout' is for a signal", id="timeout-of-time"),
    pytest.param("for: 1w", "for: 1w, ¦output: {}", "HP206", "'output' is for a signal", id="output-of-time"),
    pytest.param("{done: until_date}", "{¦received: until_date}", "HP204", "allowed: done", id="wait-option"),
    pytest.param(
        '    type: wait\n    until: "{{ input.when }}"\n    on: {done: until_date}',
        '    ¦type: wait\n    until: "{{ input.when }}"',
        "HP203",
        "add 'next: STATE' or 'on: {done: STATE}'",
        id="wait-goes-nowhere",
    ),
    pytest.param('until: "{{ input.when }}"', 'until: ¦"tomorrow"', "HP218", "'tomorrow' is not a time", id="until"),
    pytest.param('"2026-11-25T16:26:00+01:00"', '¦"2026-11-25T16:26:00"', "HP218", "an offset", id="until-no-offset"),
    pytest.param('until: "{{ input.when }}"', 'until: "{{ ¦inptu.when }}"', "HP241", "'input'?", id="until-name"),
    pytest.param('until: "{{ input.when }}"', 'until: "{{ ¦env.WHEN }}"', "HP241", "agent alone", id="until-env"),
    pytest.param(
        "{received: incident,", "{¦paid: incident,", "HP204", "allowed: received, timeout", id="signal-option"
    ),
    pytest.param("{received: incident, timeout", "{timeout", "HP203", "goes nowhere when it is received", id="signal"),
    pytest.param("    timeout: 36h\n", "", "HP211", "without 'timeout' it never is", id="signal-edge-alone"),
    pytest.param("timeout: 36h", "timeout: never", "HP211", "with 'timeout: never' it never is", id="signal-never"),
    pytest.param(", timeout: stopped}", "}", "HP210", "add 'on: {timeout: STATE}'", id="signal-timeout-alone"),
    pytest.param("timeout: 36h", "timeout: ¦36", "HP103", "such as '36s'", id="signal-timeout-number"),
    pytest.param("timeout: 36h", "timeout: ¦soon", "HP216", "'soon'", id="signal-timeout"),
    pytest.param("signal: paid", "signal: ¦Paid", "HP105", "'Paid' is not well formed", id="signal-name"),
    pytest.param("[resolved, worse]", "[resolved, ¦wo-rse]", "HP105", "'wo-rse'", id="signals-name"),
    pytest.param("[resolved, worse]", "¦[worse, worse]", "HP107", "must not name anything twice", id="signals-twice"),
    pytest.param("      worse: [", "      ¦wrose: [", "HP204", "did you mean 'worse'?", id="signals-option"),
    pytest.param(
        "[resolved, worse]", "[resolved, worse, better]", "HP203", "nowhere on 'better'", id="signals-missing"
    ),
    pytest.param(
        "signal: [resolved, worse]",
        "signal: [resolved, worse]\n    ¦next: gate",
        "HP204",
        "write 'on: {resolved: STATE, worse: STATE}'",
        id="signals-next",
    ),
    pytest.param(
        "[resolved, worse]\n    timeout: never\n    on:\n",
        "[resolved, worse, ¦timeout]\n    timeout: 1d\n    on:\n      timeout: gate\n",
        "HP204",
        "cannot be one of several signals",
        id="signals-timeout",
    ),
    pytest.param(
        "output: {type: object, properties: {amount",
        "output: {type: ¦objct, properties: {amount",
        "HP220",
        "",
        id="signal-schema",
    ),
    pytest.param("    next: payment\n", "", "HP203", "goes nowhere when it is submitted", id="form-goes-nowhere"),
    pytest.param(
        "    next: payment\n",
        "    on: {submit: payment, ¦approve: gate}\n",
        "HP101",
        "unknown option",
        id="form-option",
    ),
    pytest.param(
        "    next: payment\n", "    ¦next: payment\n    on: {submit: payment}\n", "HP205", "on.submit", id="form-both"
    ),
    pytest.param(
        '  undo: {type: agent, value: "{{ deploy.version if deploy else none }}", next: stopped}',
        "  undo: ¦{type: form, next: stopped}",
        "HP102",
        "the key 'form' is missing in state 'undo'",
        id="form-without-form",
    ),
    pytest.param("      required: [reason]", "      required: ¦reason", "HP220", "type array", id="form-schema"),
    pytest.param("{reason: none given}", "¦{}", "HP214", "'reason' is required", id="form-default"),
    pytest.param("decision: submit", "decision: ¦approve", "HP212", "allowed: submit", id="form-default-option"),
    pytest.param("    priority: low\n", "    ¦forms: {}\n", "HP101", "type approval, return have it", id="form-forms"),
    pytest.param("exclude: [bob]", "exclude: [¦'team:x']", "HP236", "write a person, 'role:NAME' or", id="exclude"),
    pytest.param("role:intern", "role:In tern", "HP236", "'role:In tern' is not a role", id="exclude-role"),
    pytest.param("role:operator", "role:Operator", "HP230", "'role:Operator' is not a role", id="crash-role"),
    pytest.param(
        "      hold: {type", "      ¦halt: {type", "HP235", "not an option of state 'gate'", id="forms-option"
    ),
    pytest.param("      hold: {type", "      ¦timeout: {type", "HP235", "allowed: approve, hold", id="forms-timeout"),
    pytest.param(
        "    forms:\n", "    form: {type: object}\n    ¦forms:\n", "HP224", "'form' and 'forms'", id="forms-and-form"
    ),
    pytest.param(
        "      hold: {type: object",
        "      hold: {type: ¦array",
        "HP222",
        "'forms.hold' of state 'gate'",
        id="forms-array",
    ),
    pytest.param("default: 2,", "default: '{{ ¦two }}',", "HP241", "'two' is not known", id="forms-name"),
    pytest.param("{note: silence}", "¦{}", "HP214", "'note' is required", id="forms-default"),
    pytest.param(
        "{decision: approve, answers: {note: silence}}",
        "{decision: reject, ¦answers: {}}",
        "HP214",
        "option 'reject' of state 'gate' has no form",
        id="forms-default-without-form",
    ),
    pytest.param("{attempts: 5,", "{attempts: ¦0,", "HP107", "at least 1, not 0", id="no-attempts"),
    pytest.param("{attempts: 5,", "{attempts: ¦101,", "HP107", "at most 100, not 101", id="attempts"),
    pytest.param("{attempts: 5,", "{¦tries: 5,", "HP101", "allowed: attempts, delay", id="retry-key"),
    pytest.param("factor: 1.5", "factor: ¦0.5", "HP107", "at least 1, not 0.5", id="factor"),
    pytest.param("factor: 1.5", "factor: ¦1001", "HP107", "at most 1000", id="large-factor"),
    pytest.param("delay: 1m", "delay: ¦60", "HP103", "such as '60s'", id="delay-number"),
    pytest.param("delay: 1m", "delay: ¦1 min", "HP216", "did you mean '1m'?", id="delay"),
    pytest.param("max_delay: 1h", "max_delay: ¦1d", "HP260", "write it in hours: '24h'", id="delay-in-days"),
    pytest.param("on: [agent_timeout]}", "on: ¦[]}", "HP107", "at least 1 item", id="retry-on-nothing"),
    pytest.param(_UNDO, "value: 1, ¦retry: {}", "HP206", "runs nothing", id="retry-value"),
    pytest.param(_UNDO, "value: 1, ¦isolate: true", "HP206", "'python' alone", id="isolate"),
    pytest.param("python: deploys:run\n", "command: [deploy]\n", "HP206", "'python' alone", id="isolate-command"),
    pytest.param("isolate: false", "isolate: ¦'no'", "HP103", "must be true or false", id="isolate-text"),
    pytest.param(
        "        timeout: 2h\n", "        ¦quorum: 2\n        timeout: 2h\n", "HP101", "'quorum'", id="crash-key"
    ),
    pytest.param(
        "        timeout: 2h\n", "", "HP211", "the crash request of state 'deploy' never does", id="crash-default-alone"
    ),
    pytest.param("timeout: 2h", "timeout: never", "HP211", "write 'timeout: DURATION'", id="crash-never"),
    pytest.param("timeout: 2h", "timeout: ¦2x", "HP216", "'x' is not a unit", id="crash-timeout"),
    pytest.param(
        "        default: {decision: done, answers: {version: 0}}\n",
        "",
        "HP210",
        "the crash request of state 'deploy' leads nowhere",
        id="crash-timeout-alone",
    ),
    pytest.param(
        "default: {decision: done, answers: {version: 0}}", "default: ¦done", "HP214", "no answers", id="crash-done"
    ),
    pytest.param(
        "default: {decision: done, answers: {version: 0}}",
        "default: ¦again",
        "HP212",
        "allowed: retry, done, fail",
        id="crash-option",
    ),
    pytest.param("{decision: done,", "{decision: fail,", "HP214", "has answers", id="crash-fail-answers"),
    pytest.param("{version: 0}}", "¦{version: x}}", "HP214", "do not meet the output's schema", id="crash-answers"),
    pytest.param('retry: ["role:operator"],', "", "HP231", "leaves out 'retry'", id="crash-assign-all"),
    pytest.param(
        "fail: [initiator]",
        "fail: [initiator], ¦stop: [x]",
        "HP231",
        "an option of the crash request",
        id="crash-assign-option",
    ),
    pytest.param(
        'done: ["{{ input.operator }}"]', 'done: ["{{ ¦inptu.operator }}"]', "HP241", "'input'?", id="crash-assign-name"
    ),
    pytest.param("payment.amount > 5", "¦paymnet.amount > 5", "HP241", "did you mean 'payment'?", id="signal-result"),
]

PATIENT_WARNINGS = [
    pytest.param(
        "    timeout: never\n    on:\n      resolved",
        "    on:\n      resolved",
        "HP215",
        "waits for a signal",
        id="signal",
    ),
    pytest.param(
        "[agent_timeout]}", "[agent_exit, ¦timeout]}", "HP262", "did you mean 'agent_timeout'?", id="retry-on"
    ),
    pytest.param("delay: 1m, factor: 1.5, max_delay: 1h", "delay: ¦10m", "HP261", "than the longest, 5m", id="delay"),
    pytest.param(
        "max_delay: 1h", "max_delay: 30s", "HP261", "delay, 1m, is longer than the longest, 30s", id="longest"
    ),
    pytest.param(
        '  - {to: undo, when: "visits.deploy > 0"}\n', "", "HP250", "state 'undo' cannot be reached", id="no-clean-up"
    ),
]


@pytest.mark.parametrize(("old", "new", "code", "message"), PATIENT)
def test_fault_in_the_patient_workflow_is_found(patient: str, old: str, new: str, code: str, message: str) -> None:
    check_fault(patient, old, new, code, message, "error")


@pytest.mark.parametrize(("old", "new", "code", "message"), PATIENT_WARNINGS)
def test_doubtful_thing_in_the_patient_workflow_is_a_warning(
    patient: str, old: str, new: str, code: str, message: str
) -> None:
    check_fault(patient, old, new, code, message, "warning")


def test_patient_workflow_is_clean(patient: str) -> None:
    assert found(patient) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("max_returns: 3", "forms: {accept: {type: object}}", id="forms"),
        pytest.param("max_returns: 3", "exclude: [initiator, alice, 'role:intern']", id="exclude"),
        pytest.param("effect: irreversible", "retry: {}", id="retry"),
        pytest.param("effect: irreversible", "after_crash: {ask: {}}", id="ask"),
        pytest.param("effect: irreversible", "after_crash: {ask: {timeout: 1h, default: retry}}", id="ask-retry"),
        pytest.param(
            "effect: irreversible",
            "after_crash: {ask: {timeout: 1h, default: {decision: done, answers: {}}}}",
            id="ask-done-without-output",
        ),
        pytest.param("artifact: report", "artifact: report\n    isolate: true", id="isolate"),
        pytest.param("timezone: Europe/Rome", "on_cancel: refused", id="on-cancel"),
    ],
)
def test_feature_that_has_come_is_clean(expense: str, old: str, new: str) -> None:
    assert old in expense

    assert found(expense.replace(old, new, 1)) == ()


def test_clean_up_that_never_ends_is_found(patient: str) -> None:
    text = patient.replace('value: "{{ deploy.version if deploy else none }}", next: stopped', "value: 1, next: undo")

    errors = [finding for finding in found(text) if finding.severity == "error"]

    assert [error.code for error in errors] == ["HP251"]
    assert "from 'undo'" in str(errors[0])


def test_expense_workflow_is_clean(expense: str) -> None:
    assert found(expense) == ()


def test_rich_workflow_is_clean(rich: str) -> None:
    assert found(rich) == ()


def test_what_is_to_come_is_refused_by_name(full_expense: str) -> None:
    findings = found(full_expense)

    lines = full_expense.splitlines()
    keys = [(lines[finding.line - 1].split(":")[0].strip(), finding.column) for finding in findings]
    assert keys == [("escalate", 5), ("exclude", 15), ("quorum", 5)]
    assert {finding.code for finding in findings} == {"HP190"}
    assert all("is not available in this version" in finding.message for finding in findings)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            "  paid: {type: end", "  more: {¦type: call, workflow: x, next: paid}\n  paid: {type: end", id="call"
        ),
        pytest.param("command: [python, pay.py]", "¦http: {url: 'https://example.org'}", id="http"),
        pytest.param("command: [python, pay.py]", "¦llm: {model: 'a:b'}", id="llm"),
        pytest.param("effect: irreversible", "¦queue: slow", id="queue"),
        pytest.param(
            "effect: irreversible", "after_crash: {ask: {¦escalate: [{after: 1d, remind: true}]}}", id="crash-escalate"
        ),
        pytest.param(
            "effect: irreversible",
            "after_crash: {ask: {timeout: ¦2 business days, default: fail}}",
            id="crash-business-days",
        ),
        pytest.param("effect: irreversible", "after_crash: {ask: {exclude: [¦authors]}}", id="crash-authors"),
        pytest.param("effect: irreversible", "retry: {delay: ¦1 business hours}", id="retry-business-hours"),
        pytest.param("max_returns: 3", "exclude: [initiator, ¦authors]", id="authors"),
        pytest.param("max_returns: 3", "exclude: [¦'deciders:manager']", id="deciders"),
        pytest.param("max_returns: 3", "exclude: [¦'{{ input.employee }}']", id="exclude-template"),
        pytest.param("max_returns: 3", "¦quorum: {accept: 2}", id="quorum"),
        pytest.param("max_returns: 3", "¦escalate: [{after: 1d, remind: true}]", id="escalate"),
        pytest.param("max_returns: 3", "¦calendar: bank", id="state-calendar"),
        pytest.param("timezone: Europe/Rome", "¦calendar: bank", id="calendar"),
        pytest.param("timeout: 2d", "timeout: ¦2 business days", id="business-days"),
        pytest.param("timeout: 2d", "timeout: ¦8 business hours", id="business-hours"),
    ],
)
def test_feature_to_come_is_refused_at_its_key(expense: str, old: str, new: str) -> None:
    text, line, column = plant(expense, old, new)

    errors = [finding for finding in found(text) if finding.severity == "error"]

    assert [(error.code, error.line, error.column) for error in errors] == [("HP190", line, column)]
    assert "not available in this version" in errors[0].message


def test_states_without_a_way_to_an_end_are_found(expense: str) -> None:
    limbo = "  limbo: {type: agent, value: 1, next: limbo}\n  paid: {"
    text = expense.replace("reject: refused\n", "reject: limbo\n").replace("  paid: {", limbo)

    errors = [finding for finding in found(text) if finding.severity == "error"]

    assert [str(error) for error in errors] == [
        "w.yaml:53:3: error HP251 no state of type 'end' can be reached from 'limbo'; lead to an end state"
    ]


def test_findings_come_in_the_order_of_the_file(expense: str) -> None:
    text = expense.replace("next: paid", "next: piad").replace("initial: draft", "initial: drift")

    lines = [finding.line for finding in found(text)]

    assert lines == sorted(lines)
    assert len(lines) == 2


def test_unknown_keys_do_not_hide_what_else_is_wrong(expense: str) -> None:
    text = expense.replace("title:", "titel:").replace("next: paid", "next: piad")

    assert [finding.code for finding in found(text)] == ["HP101", "HP201"]


def test_a_file_that_is_no_mapping_is_one_finding() -> None:
    assert [str(finding) for finding in found("- a")] == [
        "w.yaml:1:1: error HP103 the workflow must be a mapping, not a list; write e.g. {key: value}"
    ]


def test_checking_stops_after_a_hundred_errors(expense: str) -> None:
    states = "".join(f"  s{number}: {{type: agent, value: 1, next: nowhere}}\n" for number in range(200))

    assert len(found(expense + states)) == 100


def test_what_is_long_is_shown_in_part() -> None:
    assert max(len(str(finding)) for finding in found(f"{'x' * 1000}: 1\n? '{'y' * 100_000}'\n: 2")) < 3_000


def test_a_pattern_that_takes_for_ever_is_cut_short(rich: str) -> None:
    old = "properties:\n        grade: {"
    assert old in rich
    text = rich.replace(old, 'properties:\n        note: {type: string, pattern: "^(a+)+$"}\n        grade: {')
    text = text.replace("answers: {grade: 5}", "answers: {grade: 5, note: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!}")

    assert [finding.code for finding in found(text)] == ["HP214"]


def test_references_that_multiply_are_refused(expense: str) -> None:
    parts = [f"d{n}: {{allOf: [{{$ref: '#/$defs/d{n + 1}'}}, {{$ref: '#/$defs/d{n + 1}'}}]}}" for n in range(30)]
    bomb = "  type: object\n  $defs: {" + ", ".join([*parts, "d30: {}"]) + "}\n  $ref: '#/$defs/d0'\n"

    findings = found(expense.replace("  type: object\n", bomb))

    assert "HP221" in [finding.code for finding in findings]


def test_every_code_has_a_meaning_and_every_meaning_a_code() -> None:
    assert all(re.fullmatch(r"HP\d{3}", code) and code == rule.code for code, rule in CODES.items())
    assert len({rule.rule for rule in CODES.values()}) == len(CODES)
