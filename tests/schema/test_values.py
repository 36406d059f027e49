"""Tests of expressions checked against schemas: what cannot work is found at its place, its mended twin is clean."""

from __future__ import annotations

import re

import pytest

from holdpoint.schema import check_text

TYPED = """\
workflow: typed
input:
  type: object
  required: [amount, name, kind, flag, lines, customer]
  properties:
    amount: {type: number}
    name: {type: string}
    kind: {enum: [travel, meals, other]}
    flag: {type: boolean}
    level: {type: integer}
    code: {type: [string, number]}
    always: {const: true, default: true}
    lines: {type: array, items: {type: object, required: [price], properties: {price: {type: number}}}}
    words: {type: array, items: {type: string}}
    customer:
      type: object
      required: [address]
      properties: {address: {$ref: "#/$defs/address"}, more: {type: object}}
    event:
      oneOf:
        - {type: object, properties: {type: {const: paid}, sum: {type: number}}}
        - {type: object, properties: {type: {const: lost}, why: {type: string}}}
    pick:
      oneOf:
        - {type: object, required: [n], properties: {n: {type: number}}, additionalProperties: false}
        - {type: object, required: [m], properties: {m: {type: number}}, additionalProperties: false}
    tags: {type: object, additionalProperties: {type: string}}
    tree: {$ref: "#/$defs/tree"}
    both: {allOf: [{type: object, properties: {a: {type: string}}}, {properties: {b: {type: number}}}]}
  $defs:
    address: {type: object, required: [city], properties: {city: {type: string}}}
    tree: {type: object, properties: {label: {type: string}, children: {type: array, items: {$ref: "#/$defs/tree"}}}}
states:
  draft:
    type: agent
    command: [python, draft.py]
    output: {type: object, required: [text, score], properties: {text: {type: string}, score: {type: number}}}
    artifact: report
    next: split
  split:
    type: agent
    command: [python, split.py]
    output: {type: object, required: [head, size], properties: {head: {type: string}, size: {type: integer}}}
    artifact: {head: "{{ output.head }}", size: "{{ output.size }}", note: "of {{ output.size }}"}
    next: free
  free: {type: agent, command: [python, free.py], next: review}
  review:
    type: return
    show: [report]
    on: {accept: trim, revise: draft, timeout: trim}
    timeout: 2d
  trim:
    type: return
    show: [head, size]
    on: {accept: gate, revise: split}
    timeout: 2d
    default: accept
  gate:
    type: approval
    forms:
      approve: {type: object, properties: {limit: {type: number}}}
      reject: {type: object, properties: {reason: {type: string}}}
    on: {approve: signal, reject: stopped}
    timeout: 2d
    default: reject
  signal:
    type: wait
    signal: paid
    output: {type: object, required: [sum], properties: {sum: {type: number}}}
    timeout: 2d
    on: {received: work, timeout: stopped}
  work:
    type: agent
    value: "{{ HERE }}"
    next: stopped
  stopped: {type: end}
"""


def findings_of(text: str) -> list[tuple[str, str, int, int, str]]:
    """What is found in the values of a workflow: what its paths lead to is another matter."""
    _, findings = check_text(text, "w.yaml")
    return [
        (found.severity, found.code, found.line, found.column, f"{found.message}; {found.fix}")
        for found in findings
        if found.code == "HP220" or found.code.startswith("HP24")
    ]


def placed(text: str) -> tuple[str, int, int]:
    """The text without its mark, and where the mark stands."""
    before = text[: text.index("¦")]
    return text.replace("¦", ""), before.count("\n") + 1, len(before) - before.rfind("\n")


def in_template(expression: str) -> str:
    assert '"' not in expression
    return TYPED.replace("{{ HERE }}", f"{{{{ {expression} }}}}")


def in_condition(expression: str) -> str:
    targets = f'[{{to: stopped, when: "{expression}"}}, {{to: work}}]'
    return TYPED.replace('"{{ HERE }}"\n    next: stopped', f"1\n    on: {{done: {targets}}}")


# What is wrong, with a mark where it is found; the code; a part of the message; what is right.
FIELDS = [
    ("input.¦amuont", "HP242", "the property 'amuont' of 'input' does not exist; did you mean 'am", "input.amount"),
    ("input.customer.¦adress.city", "HP242", "of 'input.customer' does not exist; did", "input.customer.address.city"),
    ("input.customer.address.¦town", "HP242", "allowed: city", "input.customer.address['city']"),
    ("input.customer[¦'x']", "HP242", "'x' of 'input.customer'", "input.customer.more.x"),
    ("input.lines[0].¦prize", "HP242", "of 'input.lines[0]' does not exist; did you", "input.lines[0].price"),
    ("(input.lines | first).¦prize", "HP242", "of the value does not", "(input.lines | first).price"),
    ("input.lines | map(attribute=¦'prize')", "HP242", "'input.lines[…]'", "input.lines | map(attribute='price')"),
    ("input.lines | sum(¦'prize')", "HP242", "did you mean 'price'?", "input.lines | sum('price')"),
    ("input.event.¦amount", "HP242", "allowed: type, sum, why", "input.event.why"),
    ("input.tree.children[0].children[1].¦lable", "HP242", "'label'", "input.tree.children[0].children[1].label"),
    ("input.both.¦c", "HP242", "allowed: a, b", "input.both.b"),
    ("input.name.¦first", "HP242", "'input.name' is a text, which has no property 'first'", "input.name[0]"),
    ("input.amount[¦0]", "HP242", "'input.amount' is a number, which has no item [0]", "input.lines[0]"),
    ("input.lines.¦price", "HP242", "'input.lines' is a list, which has no property 'price'", "input.lines[0].price"),
    ("input.lines[¦input.name]", "HP242", "which has nothing that is read by a text", "input.tags[input.name]"),
    ("split.¦hed", "HP242", "allowed: head, size", "free.hed"),
    ("review.¦answer", "HP242", "did you mean 'answers'?", "review.answers"),
    ("gate.answers.¦limits", "HP242", "allowed: limit, reason", "gate.answers.reason"),
    ("signal.¦amount", "HP242", "of 'signal' does not exist", "signal.sum"),
    ("artifacts.report.¦txt", "HP242", "of 'artifacts.report' does not exist", "artifacts.report.text"),
    ("artifacts.¦reprot", "HP241", "the artifact 'reprot' of 'artifacts' does not exist", "artifacts.report"),
    ("artifacts.note.¦x", "HP242", "'artifacts.note' is none or a text", "artifacts.head.x"),
    ("visits.¦drat", "HP241", "the state 'drat' of 'visits' does not exist", "visits.draft"),
    ("previous.¦by", "HP242", "allowed: state, option, result", "previous.result.by"),
    ("error.¦kind", "HP242", "allowed: state, code, message, attempts, details", "error.details.kind"),
    ("run.¦name", "HP242", "allowed: id, workflow", "run.workflow"),
    ("now.¦year", "HP242", "'now' is a text", "now[0:4]"),
    ("free.x if free else input.¦x", "HP242", "the property 'x' of 'input'", "free.x if free else free.y"),
]  # fmt: skip
KINDS = [
    ("¦input.amount > '5'", "HP244", "(a number) and the text '5' cannot be ordered;", "input.amount > 5"),
    ("¦input.amount == '5'", "HP244", "'input.amount' (a number) never equals the text '5'", "input.amount == 5"),
    ("¦input.flag == 'true'", "HP244", "write true without quotes", "input.flag == true"),
    ("¦input.name != 5", "HP244", "always differs from the number 5; write '5' in quotes", "input.name != '5'"),
    ("¦input.name < input.amount", "HP244", "'input.name' (a text) and 'input.amount' (a number)", "input.name < 'b'"),
    ("¦visits.draft > 'two'", "HP244", "cannot be ordered", "visits.draft > 2"),
    ("¦now > 5", "HP244", "cannot be ordered", "now > '2026'"),
    ("¦none < none", "HP244", "cannot be ordered", "none == none"),
    ("1 < ¦input.amount < 'x'", "HP244", "cannot be ordered", "1 < input.amount < 9"),
    ("¦input.level == 'x'", "HP244", "none or a number", "input.code == 'x'"),
    ("¦input.amount in ['a']", "HP244", "never equals the text 'a'", "input.amount in [1, 2]"),
    ("¦input.amount is eq('5')", "HP244", "never equals", "input.amount is eq(5)"),
]  # fmt: skip
OPTIONS = [
    ("input.kind == ¦'travle'", "HP245", "'input.kind' is never 'travle'; did you mean 'tr", "input.kind == 'travel'"),
    ("¦'x' == input.kind", "HP245", "allowed: travel, meals, other", "'meals' == input.kind"),
    ("input.kind != ¦'food'", "HP245", "'input.kind' always differs from 'food'", "input.kind != 'meals'"),
    ("input.kind in ['meals', ¦'food']", "HP245", "is never 'food'", "input.kind in ['meals', 'other']"),
    ("input.kind is in [¦'food']", "HP245", "is never 'food'", "input.kind is in ['other']"),
    ("review.decision == ¦'aproved'", "HP245", "allowed: accept, revise, timeout", "review.decision == 'timeout'"),
    ("gate.decision == ¦'timeout'", "HP245", "allowed: approve, reject", "gate.decision == 'reject'"),
    ("gate.by_kind == ¦'person'", "HP245", "allowed: human, timer, operator", "gate.by_kind == 'timer'"),
    ("previous.state == ¦'darft'", "HP245", "did you mean 'draft'?", "previous.state == 'draft'"),
    ("error.state == ¦'review'", "HP245", "allowed: draft, split, free, work", "error.state == 'split'"),
    ("input.event.type == ¦'open'", "HP245", "allowed: paid, lost", "input.event.type == 'lost'"),
    ("¦input.kind == gate.decision", "HP245", "the other approve, reject", "input.kind == input.name"),
]  # fmt: skip
OPERATIONS = [
    ("¦input.name + 1", "HP246", "'+' takes two numbers, two texts or two lists, not a text and", "input.name ~ 1"),
    ("¦input.amount * input.name", "HP246", "'*' takes two numbers, not a number and a text", "input.amount * 2"),
    ("¦input.amount + 1 + 'EUR'", "HP246", "'~' joins as text", "(input.amount + 1) ~ 'EUR'"),
    ("-¦input.name", "HP246", "the sign '-' takes a number, not a text", "-input.amount"),
    ("'a' in ¦input.amount", "HP246", "'in' asks a list, a text or an object, not a number", "'a' in input.name"),
    ("¦5 in input.name", "HP246", "'in' asks a text for a text, not a number", "'5' in input.name"),
    ("¦5 not in input.customer", "HP246", "asks an object for a text", "5 not in input.lines"),
    ("¦input.amount | upper", "HP246", "'upper' takes a text, not a number", "input.name | upper"),
    ("¦input.name | round", "HP246", "'round' takes a number, not a text", "input.amount | round"),
    ("¦input.flag | int", "HP246", "'int' takes a number or a text, not a boolean", "input.flag | int(0)"),
    ("input.lines | join(¦5)", "HP246", "'join' takes a text as 'separator', not a number", "input.words | join('5')"),
    ("input.name | trim(¦input.level or 5)", "HP246", "takes none or a text as 'chars', not", "input.name | trim"),
    ("input.name | trim(¦gate.answers)", "HP246", "not an object", "input.name | trim(review.answers)"),
    ("¦input.name | sum", "HP246", "'sum' takes a list, not a text", "input.lines | sum('price')"),
    ("¦input.amount | length", "HP246", "'length' takes a text or a list or an object", "input.lines | length"),
    ("¦input.amount | first", "HP246", "'first' takes a text or a list", "input.words | first"),
    ("¦input.amount | add('2d')", "HP246", "'add' takes a text", "now | add('2d')"),
    ("¦input.amount is startingwith('a')", "HP246", "'startingwith' takes a text", "input.name is startingwith('a')"),
    ("¦input.name is odd", "HP246", "'odd' takes a number", "input.level is odd"),
    ("¦input.amount[1:2]", "HP246", "a slice takes a list or a text, not a number", "input.name[1:2]"),
    ("input.words[¦'a':]", "HP246", "a slice goes from integer to integer, not a text", "input.words[input.level:]"),
    ("{input.name: 1, ¦input.amount: 2}", "HP246", "a key of an object is a text, not a number", "{input.name: 1}"),
    ("(input.words | ¦first) + 1", "HP246", "not a text and a number", "(input.words | first) + 'a'"),
    ("(input.name | ¦length) + 'a'", "HP246", "not a number and a text", "(input.name | length) + 1"),
    ("(¦input.name or 'none') - 1", "HP246", "not a text and a number", "(input.level or 'none') - 1"),
    ("¦artifacts.note - 1", "HP246", "'-' takes two numbers, not none or a text", "artifacts.size - 1"),
    ("(input.words | map('length') | first) ~ (¦'a' | abs)", "HP246", "'abs' takes a number", "'a' ~ (1 | abs)"),
]  # fmt: skip
CONDITIONS = [
    ("¦input.amount", "HP247", "the condition gives a number; it must give true or false", "input.amount > 1"),
    ("¦'no'", "HP247", "the condition gives a text", "input.flag"),
    ("¦review.comment", "HP247", "the condition gives none or a text", "review.comment == 'x'"),
    ("¦input.lines", "HP247", "the condition gives a list", "input.lines | length > 0"),
    ("¦input.name or 'x'", "HP247", "the condition gives a text", "input.flag or input.amount > 1"),
    ("¦1 / 0 > 1", "HP246", "the condition fails whenever it is asked: '/' divides by zero", "1 / input.amount > 1"),
]  # fmt: skip
CONSTANTS = [
    ("¦true", "the condition always holds, so that 'work' after it is never reached from here; remove the condition"),
    ("¦false", "the condition never holds, so that 'stopped' is not reached from here; remove the target"),
    ("¦1 < 2", "always holds"),
    ("¦input.flag and false", "never holds"),
    ("¦not ('a' in ['b', 'c'])", "always holds"),
]


def cases(table: list[tuple[str, str, str, str]]) -> list[object]:
    return [pytest.param(*row, id=re.sub(r"\W+", "-", row[0]).strip("-")) for row in table]


@pytest.mark.parametrize(("wrong", "code", "message", "right"), cases([*FIELDS, *KINDS, *OPTIONS, *OPERATIONS]))
def test_what_cannot_work_is_found_at_its_place(wrong: str, code: str, message: str, right: str) -> None:
    text, line, column = placed(in_template(wrong))

    [finding] = findings_of(text)

    assert finding[:4] == ("error", code, line, column)
    assert message in finding[4]
    assert findings_of(in_template(right)) == []


@pytest.mark.parametrize(("wrong", "code", "message", "right"), cases(CONDITIONS))
def test_condition_that_is_none_is_found(wrong: str, code: str, message: str, right: str) -> None:
    text, line, column = placed(in_condition(wrong))

    [finding] = findings_of(text)

    assert finding[:4] == ("error", code, line, column)
    assert message in finding[4]
    assert findings_of(in_condition(right)) == []


@pytest.mark.parametrize(("condition", "message"), CONSTANTS)
def test_condition_with_one_answer_is_a_warning(condition: str, message: str) -> None:
    text, line, column = placed(in_condition(condition))

    [finding] = findings_of(text)

    assert finding[:4] == ("warning", "HP249", line, column)
    assert message in finding[4]


def test_last_condition_that_always_holds_hides_nothing() -> None:
    text = in_condition("true").replace(", {to: work}]", "]")

    [finding] = findings_of(text)

    assert finding[4] == "the condition always holds; remove the condition"


@pytest.mark.parametrize(
    "expression",
    [
        "free.anything.at.all > 5 and free == 'x' and free[0]",  # no schema says
        "review.comment if review else ''",
        "review and review.decision == 'accept'",
        "review is none",
        "input.amount is number",
        "input.level == none",
        "input.event.sum + 1",  # one form has it
        "input.event.why - 1",  # the form that does not name it does not forbid it
        "input.name | trim(input.pick.n)",  # none where the other form is met
        "input.name | trim(input.level)",
        "input.name | trim(review)",
        "input.code > 5",
        "input.code > 'a'",
        "input.customer.more.x.y",  # an object without properties
        "input.tags.x | upper",
        "input.tags[input.name]",
        "input.level | default('none')",
        "input.level | default('none', true) == 'none'",
        "input.level if input.level else 'none'",
        "(input.level or 'x') == 'x'",
        "artifacts.head + 1",  # under review, and an edit of a part may be anything
        "artifacts.report.score + 1",
        "signal.sum if signal else 0",
        "gate.answers.limit + 1",
        "previous.result.decision",
        "error.details.status == 500 or error.details.x.y",
        "input.lines | selectattr('price', 'gt', 5) | map(attribute='price') | sum",
        "input.lines | sort(attribute='price') | first",
        "input.customer | items | first",
        "[input.amount, input.name][0] + 1",
        "{'a': input.amount, input.name: 'x'}.b",
        "1 if input.flag",
        "input.words | map('upper') | join(',')",
        "input.words | map('int', default=0) | first == 'x'",
    ],
)
def test_what_may_work_is_clean(expression: str) -> None:
    assert findings_of(in_template(expression)) == []


@pytest.mark.parametrize(
    ("schema", "is_claimed"),
    [
        pytest.param("{type: object, properties: {a: {}}}", True, id="silent"),
        pytest.param("{properties: {a: {}}}", True, id="without-type"),
        pytest.param("{type: object, additionalProperties: false}", True, id="none-allowed"),
        pytest.param("{anyOf: [{properties: {a: {}}}, {properties: {b: {}}}]}", True, id="no-branch"),
        pytest.param("{allOf: [{properties: {a: {}}}, {required: [b]}]}", True, id="no-part"),
        pytest.param("{$ref: '#/$defs/o', $defs: {o: {properties: {a: {}}}}}", True, id="reference"),
        pytest.param("{enum: [{a: 1}, {b: 2}]}", True, id="values"),
        pytest.param("{type: object}", False, id="no-properties"),
        pytest.param("{type: object, required: [a]}", False, id="required-alone"),
        pytest.param("{}", False, id="anything"),
        pytest.param("{type: object, properties: {a: {}}, additionalProperties: true}", False, id="others-allowed"),
        pytest.param("{properties: {a: {}}, additionalProperties: {type: string}}", False, id="others-of-a-schema"),
        pytest.param("{properties: {a: {}}, patternProperties: {'^x': {}}}", False, id="pattern"),
        pytest.param("{properties: {a: {}}, if: {}, then: {properties: {zzz: {}}}}", False, id="then"),
        pytest.param("{properties: {a: {}}, dependentSchemas: {a: {properties: {zzz: {}}}}}", False, id="dependent"),
        pytest.param("{properties: {a: {}}, unevaluatedProperties: {type: string}}", False, id="unevaluated"),
        pytest.param("{properties: {a: {}}, required: [zzz]}", False, id="required"),
        pytest.param("{anyOf: [{properties: {a: {}}}, {type: object}]}", False, id="one-branch"),
        pytest.param("{oneOf: [{properties: {a: {}}}, {properties: {zzz: {}}}]}", False, id="other-branch"),
        pytest.param("{allOf: [{properties: {a: {}}}, {properties: {zzz: {}}}]}", False, id="other-part"),
        pytest.param("{properties: {a: {}}, $ref: '#/$defs/o', $defs: {o: {required: [zzz]}}}", False, id="beside"),
    ],
)
def test_field_is_unknown_where_no_schema_has_or_may_have_it(schema: str, is_claimed: bool) -> None:
    text = TYPED.replace("python, free.py]", f"python, free.py], output: {schema}").replace("HERE", "free.zzz")

    assert [finding[1] for finding in findings_of(text)] == ["HP242"] * is_claimed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("show: [report]", 'show: [report]\n    assign: [¦"{{ input.amount }}"]', "a text", id="assign"),
        pytest.param(
            "forms:\n      approve: {type: object, properties: {limit: {type: number}}}",
            'forms:\n      approve: {type: object, properties: {limit: {type: number, maximum: ¦"{{ input.name }}"}}}',
            "takes a number, and the template gives a text",
            id="maximum",
        ),
        pytest.param("{reason: {type: string}}", '{reason: {enum: ¦"{{ input.name }}"}}', "takes a list", id="enum"),
        pytest.param("{reason: {type: string}}", '{reason: {minimum: ¦"{{ 1 }}0"}}', "takes a number", id="in-text"),
        pytest.param("{reason: {type: string}}", '{reason: {title: ¦"{{ input.amount }}"}}', "a text", id="title"),
        pytest.param(
            "work:\n    type: agent",
            'nap: {type: wait, until: ¦"{{ input.amount }}", next: work}\n  work:\n    type: agent',
            "'until' of state 'nap' takes a text, and the template gives a number",
            id="until",
        ),
    ],
)
def test_template_that_gives_what_its_place_does_not_take_is_found(old: str, new: str, message: str) -> None:
    text, line, column = placed(in_template("1").replace("received: work", "received: nap").replace(old, new, 1))
    text = text if "nap:" in text else text.replace("received: nap", "received: work")

    [finding] = findings_of(text)

    assert finding[:4] == ("error", "HP248", line, column)
    assert message in finding[4]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("show: [report]", 'show: [report]\n    assign: ["{{ run.initiator }}"]', id="assign"),
        pytest.param("{reason: {type: string}}", '{reason: {enum: "{{ input.words }}"}}', id="enum"),
        pytest.param("{reason: {type: string}}", '{reason: {enum: ["{{ input.amount }}"]}}', id="enum-item"),
        pytest.param("{reason: {type: string}}", '{reason: {title: "of {{ input.amount }}"}}', id="title-in-text"),
        pytest.param("{reason: {type: string}}", '{reason: {default: "{{ input.amount }}"}}', id="default"),
    ],
)
def test_template_that_gives_what_its_place_takes_is_clean(old: str, new: str) -> None:
    assert findings_of(in_template("1").replace(old, new, 1)) == []


def test_finding_in_a_block_is_at_its_line_and_column() -> None:
    text, line, column = placed(
        TYPED.replace('value: "{{ HERE }}"', "value: |\n      Of {{ input.name }}\n      and {{ input.¦nmae }}.")
    )

    [finding] = findings_of(text)

    assert finding[1:4] == ("HP242", line, column)


def test_without_an_input_schema_the_input_has_nothing() -> None:
    text = in_template("input.¦x")
    text = text[: text.index("input:")] + text[text.index("states:") :]
    text, line, column = placed(text)

    [finding] = findings_of(text)

    assert finding[1:4] == ("HP242", line, column)
    assert finding[4] == "the property 'x' of 'input' does not exist; add an 'input' schema"


def test_schema_with_errors_says_nothing() -> None:
    text = in_template("input.amount.x.y > 'a'").replace("amount: {type: number}", "amount: {type: nubmer}")

    assert {finding[1] for finding in findings_of(text)} == {"HP220"}


def test_artifact_that_two_states_make_is_what_either_makes() -> None:
    text = TYPED.replace("[python, free.py]", "[python, free.py], artifact: report, output: {properties: {page: {}}}")

    assert findings_of(text.replace("HERE", "artifacts.report.page")) == []
    assert [finding[1] for finding in findings_of(text.replace("HERE", "artifacts.report.pgae"))] == ["HP242"]


def test_answers_are_none_where_an_option_or_the_timeout_has_no_form() -> None:
    text = in_template("input.name | trim(gate.answers)")
    [form] = re.findall(r"      reject: \{type: object.*\n", text)

    assert findings_of(text.replace(form, "")) == []
    assert (
        findings_of(
            text.replace("    default: reject\n", "").replace("reject: stopped}", "reject: stopped, timeout: stopped}")
        )
        == []
    )


def test_part_that_is_made_of_itself_says_nothing() -> None:
    text = in_template("artifacts.note.x + artifacts.note").replace("of {{ output.size }}", "{{ artifacts.note }}")

    assert findings_of(text) == []
