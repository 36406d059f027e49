"""Graphs: what each format shows of a definition and of a run, and that no title breaks any of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from holdpoint.api import Engine
from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import UsageError
from holdpoint.graphs import DRAWINGS, FORMATS, draw, picture_of
from holdpoint.testing import Clock

TEXTS = tuple(format for format in FORMATS if format not in DRAWINGS)
EXPENSE: dict[str, Any] = {
    "workflow": "expense-approval",
    "title": "Expense approval",
    "input": {"type": "object", "properties": {"employee": {"type": "string"}, "amount": {"type": "number"}}},
    "initial": [{"to": "draft"}],
    "states": {
        "draft": {
            "type": "agent",
            "title": "Write the report",
            "on": {"done": [{"to": "review"}]},
            "python": "expenses.agents:draft_report",
            "artifact": "report",
        },
        "review": {
            "type": "return",
            "on": {"accept": [{"to": "manager"}], "revise": [{"to": "draft"}]},
            "show": ["report"],
            "timeout": "P2D",
            "default": {"decision": "accept"},
        },
        "manager": {
            "type": "approval",
            "on": {
                "approve": [{"to": "director", "when": "input.amount > 5000"}, {"to": "pay"}],
                "reject": [{"to": "refused"}],
                "timeout": [{"to": "director"}],
            },
            "show": ["report"],
            "timeout": "PT172800S",
        },
        "director": {"type": "approval", "on": {"approve": [{"to": "pay"}], "reject": [{"to": "refused"}]}},
        "pay": {
            "type": "agent",
            "on": {"done": [{"to": "end"}], "error": [{"to": "refused"}]},
            "command": ["python", "pay.py"],
            "effect": "irreversible",
        },
        "end": {"type": "end"},
        "refused": {"type": "end", "outcome": "failure"},
    },
}
STEERED: dict[str, Any] = {
    "workflow": "steered",
    "initial": [{"to": "nap"}],
    "on_cancel": [{"to": "gone"}],
    "states": {
        "nap": {"type": "wait", "for": "PT3600S", "on": {"done": [{"to": "ask"}]}},
        "ask": {"type": "approval", "on": {"approve": [{"to": "end"}]}},
        "end": {"type": "end"},
        "gone": {"type": "end", "outcome": "cancelled"},
    },
}
HOSTILE = (
    'say "hi" \\ [x] {y} (z) | a --> b',
    "end",
    "one\r\n---\nsubgraph two",
    "<b>&amp;</b> #35; #quot;",
    '%%{init: {"theme": "dark"}}%%',
    "`code` **bold** $$x$$",
    "\\",
    '"',
    '];} "x" -> "y"',
    "日本語 👍🏽 ü",
    "no character \ufffe and ]]> </title> <script>alert(1)</script>",
    "\x1b[31mred\x07 \u202eturned \u2028 line",
)


def hostile(text: str) -> Definition:
    """A workflow whose every text is this one."""
    return Definition.from_document(
        {
            "workflow": "hostile",
            "title": text,
            "initial": [{"to": "end"}],
            "states": {
                "end": {
                    "type": "approval",
                    "title": text,
                    "on": {"approve": [{"to": "done", "when": f"input.a == {text!a}"}, {"to": "end"}]},
                    "show": {text: "{{ input.a }}"},
                    "timeout": "P1D",
                    "default": {"decision": "approve"},
                },
                "done": {"type": "end", "title": text},
            },
        }
    )


def _drawn(workflow: Definition | dict[str, Any], format: str) -> str:
    """A definition in a text format."""
    definition = workflow if isinstance(workflow, Definition) else Definition.from_document(workflow)
    return str(draw(picture_of(definition), format))


def _run_pictures(steps: int) -> dict[str, str]:
    """Graphs of a run that was sent back once, then accepted by its deadline."""
    clock = Clock()
    agents = {"expense-approval/draft": lambda: "taxi", "expense-approval/pay": lambda: {"ok": True}}
    with Engine("sqlite:///:memory:", clock=clock, agents=agents, people={}) as engine:
        run = engine.start(Definition.from_document(EXPENSE), {"employee": "ann", "amount": 120})
        if steps > 0:
            engine.decide(run.id, "revise", by="ann", comment="which taxi?")
        if steps > 1:
            clock.advance(engine, "2d")
        if steps > 2:
            engine.decide(run.id, "reject", by="dora")
        return {name: str(engine.graph(run.id, name)).replace(run.id, "run_1") for name in TEXTS}


def test_the_text_lists_every_state_with_its_ways_out() -> None:
    assert _drawn(EXPENSE, "text") == (
        "expense-approval · Expense approval\n"
        "\n"
        "  start\n"
        "      → draft\n"
        "  draft · agent, python, makes report · Write the report\n"
        "      done → review\n"
        "  review · return, shows report\n"
        "      accept           → manager\n"
        "      revise           → draft\n"
        "      after 2d: accept → manager\n"
        "  manager · approval, shows report\n"
        "      approve   → director  when input.amount > 5000\n"
        "      approve   → pay       otherwise\n"
        "      reject    → refused\n"
        "      after 48h → director\n"
        "  director · approval\n"
        "      approve → pay\n"
        "      reject  → refused\n"
        "  pay · agent, command, irreversible\n"
        "      done  → end\n"
        "      error → refused\n"
        "  end · end, success\n"
        "  refused · end, failure\n"
    )


def test_the_text_of_a_run_marks_where_it_stands_and_how_it_came() -> None:
    text = _run_pictures(2)["text"]

    assert "run_1 · waiting in manager\n" in text
    assert "✓ draft · agent, python, makes report, visited twice · Write the report\n" in text
    assert "▶ manager · approval, shows report, visited once\n" in text
    assert "      revise           → draft    taken once\n" in text
    assert text.endswith(
        "the way it came\n"
        "  2026-01-05 09:00:00Z  start → draft\n"
        "  2026-01-05 09:00:00Z  draft · done → review      by the agent\n"
        "  2026-01-05 09:00:00Z  review · revise → draft    by ann\n"
        "  2026-01-05 09:00:00Z  draft · done → review      by the agent\n"
        "  2026-01-07 09:00:00Z  review · accept → manager  by the deadline\n"
    )


def test_the_edge_of_the_clock_is_told_from_the_option_of_a_person() -> None:
    text = _run_pictures(2)["text"]

    assert "      accept           → manager\n" in text
    assert "      after 2d: accept → manager  taken once\n" in text


def test_the_text_says_how_a_run_ended() -> None:
    text = _run_pictures(3)["text"]

    assert "run_1 · done, with outcome failure\n" in text
    assert "▶ refused · end, failure, visited once\n" in text


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('  start(("start"))', id="start marker"),
        pytest.param('  s_end(["end<br/>end, success"])', id="a state called end"),
        pytest.param('  s_draft["draft<br/>Write the report<br/>agent, python, makes report"]', id="title"),
        pytest.param('  s_manager -->|"approve<br/>when input.amount #62; 5000"| s_director', id="guard"),
        pytest.param('  s_review -.->|"after 2d: accept"| s_manager', id="default, dashed"),
        pytest.param('  s_manager -.->|"after 48h"| s_director', id="timeout edge, dashed"),
        pytest.param("  class s_pay irreversible", id="irreversible"),
        pytest.param("  class s_refused failure", id="kind"),
    ],
)
def test_mermaid_shows(line: str) -> None:
    assert line in _drawn(EXPENSE, "mermaid").splitlines()


def test_mermaid_of_a_run_marks_where_it_stands_and_the_edges_it_took() -> None:
    lines = _run_pictures(2)["mermaid"].splitlines()

    assert "  class s_manager current" in lines
    assert "  class s_draft visited" in lines
    assert "  linkStyle 0,1,3,4 stroke:#d4006a,stroke-width:3px" in lines


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(
            '  "(start)" -> "draft" [color="#5f6368", label="", id="edge-0", class="option"];', id="start marker"
        ),
        pytest.param(
            '  "pay" [shape=box, fillcolor="#e8f0fe", color="#b02a2a", peripheries=2, '
            'label="pay\\n⚠ agent, command, irreversible", id="state-pay", class="agent irreversible"];',
            id="irreversible",
        ),
        pytest.param(
            '  "review" -> "manager" [color="#5f6368", style=dashed, label="after 2d: accept", id="edge-4", '
            'class="timed"];',
            id="default, dashed",
        ),
        pytest.param(
            '  "manager" -> "director" [color="#5f6368", label="approve\\nwhen input.amount > 5000", id="edge-5", '
            'class="option"];',
            id="guard",
        ),
    ],
)
def test_dot_shows(line: str) -> None:
    assert line in _drawn(EXPENSE, "dot").splitlines()


def test_dot_of_a_run_marks_where_it_stands_and_the_edges_it_took() -> None:
    text = _run_pictures(2)["dot"]

    assert re.findall(r'"(\w+)" \[[^\]]*class="[^"]*current"', text) == ["manager"]
    assert re.findall(r'id="(edge-\d+)", class="\w+ taken"', text) == ["edge-0", "edge-1", "edge-3", "edge-4"]


@pytest.mark.parametrize("title", HOSTILE)
def test_no_title_breaks_the_text(title: str) -> None:
    text = _drawn(hostile(title), "text")

    assert len(text.splitlines()) == 10
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize("title", HOSTILE)
def test_no_title_breaks_mermaid(title: str) -> None:
    lines = _drawn(hostile(title), "mermaid").splitlines()

    assert [line for line in lines if not _MERMAID.fullmatch(line)] == []
    assert sum(re.match(r"  \w+ (-->|-\.->)", line) is not None for line in lines) == 5


@pytest.mark.parametrize("title", HOSTILE)
def test_no_title_breaks_dot(title: str) -> None:
    statements = list(_dot_statements(_drawn(hostile(title), "dot")))

    assert sum("->" in statement for statement in statements) == 5
    assert sum(statement[0].startswith('"') and "->" not in statement for statement in statements) == 3


def test_the_run_pictures_keep_to_the_grammars() -> None:
    pictures = _run_pictures(3)

    assert [line for line in pictures["mermaid"].splitlines() if not _MERMAID.fullmatch(line)] == []
    assert len(list(_dot_statements(pictures["dot"]))) == 24


@pytest.mark.parametrize("format", TEXTS)
def test_the_same_definition_gives_the_same_text(format: str) -> None:
    assert _drawn(EXPENSE, format) == _drawn(EXPENSE, format)


def test_a_failed_run_says_why() -> None:
    def broken() -> None:
        raise RuntimeError("out of \x1b[31mink")

    with Engine("sqlite:///:memory:", agents={"expense-approval/draft": broken}, people={}) as engine:
        run = engine.start(Definition.from_document(EXPENSE), {"employee": "ann", "amount": 1})
        text = engine.graph(run.id)

    assert f"{run.id} · failed in draft: agent of state 'draft' failed: " in text
    assert "\x1b" not in text


def _moved_and_cancelled() -> Engine:
    """An engine with the runs of a workflow that is moved by an operator and cleans up on cancel."""
    clock = Clock()
    engine = Engine("memory://", clock=clock, people={})
    definition = Definition.from_document(STEERED)
    runs = [engine.start(definition) for _ in range(3)]
    clock.advance(engine, "1h")
    engine.move(runs[1].id, "nap", by="ann")
    engine.cancel(runs[2].id, by="ann")
    return engine


def test_a_run_that_was_moved_or_cancelled_shows_the_way_it_went() -> None:
    with _moved_and_cancelled() as engine:
        texts = {run.state: engine.graph(run.id) for run in engine.runs().items}

    assert "      done → ask  taken once\n" in texts["ask"]
    assert "      moved by operator → nap  taken once\n" in texts["nap"]
    assert "  on cancel\n      → gone  taken once\n" in texts["gone"]
    assert "by ann" in texts["nap"]


def test_the_heat_of_all_runs_is_in_every_text_format() -> None:
    with _moved_and_cancelled() as engine:
        definition = Definition.from_document(STEERED)
        drawn = {format: engine.graph(definition, format, heat=True) for format in TEXTS}

    assert drawn["text"] == (
        "steered\n"
        "3 runs of this version\n"
        "\n"
        "  start\n"
        "      → nap  3 runs\n"
        "  on cancel\n"
        "      → gone  1 run\n"
        "  nap · wait, for 1h, median stay 1h; 9 in 10 within 1h; 1 here now\n"
        "      done → ask  3 runs\n"
        "  ask · approval, median stay under 1s; 9 in 10 within 1s; 1 here now\n"
        "      approve           → end\n"
        "      moved by operator → nap  1 run\n"
        "  end · end, success\n"
        "  gone · end, cancelled\n"
    )
    assert '  s_nap -->|"done<br/>3 runs"| s_ask\n' in drawn["mermaid"]
    assert '  on_cancel(("on cancel"))\n' in drawn["mermaid"]
    assert '  on_cancel -->|"1 run"| s_gone\n' in drawn["mermaid"]
    assert 'label="on cancel"' in str(drawn["dot"])
    assert "  class s_nap heat1\n" in drawn["mermaid"]
    assert re.search(r'"nap" -> "ask" \[color="#5f6368", penwidth=6, label="done\\n3 runs"', str(drawn["dot"]))


@pytest.mark.parametrize(
    ("format", "theme", "message"),
    [
        pytest.param(
            "mermaids",
            "auto",
            "a graph's format is one of text, mermaid, dot, svg, png, pdf, not 'mermaids'; did you mean 'mermaid'?",
            id="format",
        ),
        pytest.param(
            "svg", "drak", "a theme is one of light, dark, auto, not 'drak'; did you mean 'dark'?", id="theme"
        ),
    ],
)
def test_an_unknown_format_or_theme_is_refused(format: str, theme: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        draw(picture_of(Definition.from_document(EXPENSE)), format, theme)

    assert refused.value.message == message


# No `#` or blank stands bare in these: they are put together into a verbose pattern.
_TEXT = r'"(?:[^"\n<>{}\[\]|\\;#&%`$*]|<br/>|\#\d+;)*"'
_ID = r"(?:start|s_[a-z0-9_]+)"
_MERMAID = re.compile(
    rf"""---|title:\ "(?:[^"\\\n]|\\.)*"|flowchart\ TD
    |\ \ start\(\("start"\)\)
    |\ \ {_ID}(?:\[{_TEXT}\]|\{{\{{{_TEXT}\}}\}}|\(\[{_TEXT}\]\))
    |\ \ {_ID}\ (?:-->|-\.->)(?:\|{_TEXT}\|)?\ {_ID}
    |\ \ classDef\ \w+\ [\w:,\#-]+|\ \ class\ {_ID}\ \w+|\ \ linkStyle\ \d+(?:,\d+)*\ [\w:,\#.-]+""",
    re.VERBOSE,
)
_DOT = re.compile(r'\s*(?:("(?:[^"\\\n]|\\["\\nlr])*")|(->)|([A-Za-z_]\w*)|(-?\d+(?:\.\d+)?)|([\[\]{};=,]))')


def _dot_statements(text: str) -> Iterator[list[str]]:
    """The statements inside the braces of a digraph, as tokens; fails where DOT's grammar would."""
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _DOT.match(text, place)
        assert match is not None, f"no token at {text[place : place + 40]!r}"
        tokens.append(match[match.lastindex or 0])
        place = match.end()
    assert tokens[0] == "digraph"
    assert tokens[1].startswith('"')
    assert tokens[2] == "{"
    assert tokens[-1] == "}"
    statement: list[str] = []
    for token in tokens[3:-1]:
        if token != ";":
            statement.append(token)
            continue
        _check_statement(statement)
        yield statement
        statement = []
    assert statement == []


def _check_statement(statement: list[str]) -> None:
    head = statement[: statement.index("[")]
    attributes = statement[len(head) + 1 : -1]
    assert statement[-1] == "]"
    assert len(head) == 1 or (len(head) == 3 and head[1] == "->")
    assert all(attributes[index] == "," for index in range(3, len(attributes), 4))
    assert all(attributes[index] == "=" for index in range(1, len(attributes), 4))
    assert len(attributes) % 4 == 3
