"""`flow simulate`: what it prints and writes, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from holdpoint import Engine, cli

WORKFLOW = """
workflow: letters
states:
  ask:
    type: approval
    message: Sign it?
    assign: ["role:boss"]
    on: {approve: sent, reject: kept}
    timeout: 1d
    default: reject
  sent: {type: end}
  kept: {type: end, outcome: failure}
"""
CONFIG = """
days: 10
replications: 3
arrivals: {rate: 30/d, hours: "mon-fri 09:00-17:00"}
people: {bosses: {count: 1, roles: [boss], takes: exp(20m)}}
decisions: {ask: {options: {approve: 3, reject: 1}}}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one workflow, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "letters.yaml").write_text(WORKFLOW)
    (tmp_path / "sim.yaml").write_text(CONFIG)
    return tmp_path


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert cli.run(["simulate", "letters", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def _refused(capsys: pytest.CaptureFixture[str], status: int, *words: str) -> str:
    assert cli.run(["simulate", *words]) == status
    return capsys.readouterr().err


def test_it_says_who_waits_who_is_busy_and_what_would_change_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["simulate", "letters", "--config", "sim.yaml"]) == 0

    said = capsys.readouterr().out
    assert "letters: 10 days, 3 replications, seed 1; means of these" in said
    assert "requests for 'boss' wait most" in said
    assert "'bosses', one person, is busy" in said
    assert "one more in 'bosses'" in said
    assert "assumed" not in said


def test_it_runs_without_a_word_and_says_what_it_assumed(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    assert cli.run(["simulate", "letters", "--days", "5", "--replications", "2"]) == 0

    said = capsys.readouterr().out
    assert "arrivals: 10/d, at random within mon-fri 09:00-17:00 (UTC)" in said
    assert "people 'boss': 1 (boss-1)" in said
    assert not (project / "flow.db").exists()


def test_the_same_seed_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    one, same, other = (_json(capsys, "--config", "sim.yaml", "--seed", seed) for seed in ("4", "4", "5"))

    assert one == same
    assert one["numbers"] != other["numbers"]


def test_the_numbers_have_intervals_and_days(capsys: pytest.CaptureFixture[str]) -> None:
    found = _json(capsys, "--config", "sim.yaml")

    mean, low, high = found["numbers"]["state"]["ask"]["wait_mean"]
    assert low < mean < high
    assert found["numbers"]["runs"]["started"][0] == pytest.approx(240, rel=0.2)
    assert sum(found["numbers"]["runs"][name]["share"][0] for name in ("success", "failure")) == pytest.approx(1)
    assert len(found["over_time"]["state ask"]) == 10
    assert found["what_if"][0]["change"] == "one more in 'bosses'"


def test_the_command_line_is_over_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--config", "sim.yaml", "--days", "4", "--arrivals", "60/d", "--reviewers", "boss=5", "--no-what-if")

    found = _json(capsys, *words)

    assert found["days"] == 4
    assert set(found["numbers"]["person"]) == {f"bosses-{number}" for number in range(1, 6)}
    assert found["numbers"]["runs"]["started"][0] == pytest.approx(240, rel=0.3)
    assert found["what_if"] == []


def test_a_role_that_nobody_has_gets_people(capsys: pytest.CaptureFixture[str]) -> None:
    Path("interns.yaml").write_text("people: {interns: {count: 1}}\n")
    found = _json(capsys, "--config", "interns.yaml", "--reviewers", "boss=2", "--no-what-if")

    assert set(found["numbers"]["person"]) == {"interns-1", "boss-1", "boss-2"}


def test_the_page_needs_nothing_else_and_the_table_has_every_day(project: Path) -> None:
    words = ["--config", "sim.yaml", "--html", "out.html", "--csv", "out.csv"]
    assert cli.run(["simulate", "letters", *words]) == 0

    page = (project / "out.html").read_text()
    parser = _Tags()
    parser.feed(page)
    assert {"svg", "polyline", "table"} <= parser.tags
    assert not {"script", "link", "img", "iframe"} & parser.tags
    assert parser.open == []
    assert "http" not in page
    rows = _rows(project)
    days = {row["day"] for row in rows if (row["kind"], row["name"], row["measure"]) == ("state", "ask", "open_mean")}
    assert days >= {str(day) for day in range(1, 11)}


RELEASE = """
workflow: letters
states:
  ask:
    type: approval
    message: Sign it?
    assign: {sign: ["role:boss"], withdraw: [initiator]}
    on: {sign: end, withdraw: kept}
    timeout: never
  end: {type: end}
  kept: {type: end, outcome: failure}
"""


def test_what_initiators_withdrew_is_counted_for_them_and_for_its_state(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    (project / "workflows" / "letters.yaml").write_text(RELEASE)
    people = "people: {initiators: {names: [ann, bob]}, bosses: {count: 0, roles: [boss]}}"
    patience = "decisions: {ask: {patience: {option: withdraw, after: 1h}}}"
    (project / "sim.yaml").write_text(f"days: 5\nreplications: 2\n{people}\n{patience}\n")
    words = ("--config", "sim.yaml", "--no-what-if")

    numbers = _json(capsys, *words, "--csv", "out.csv")["numbers"]

    settled = numbers["state"]["ask"]["settled"][0]
    assert numbers["state"]["ask"]["withdrawn"][0] == settled > 10
    assert sum(numbers["person"][name]["withdrawn"][0] for name in ("ann", "bob")) == settled
    assert [
        row for row in _rows(project) if (row["kind"], row["name"], row["measure"]) == ("person", "ann", "withdrawn")
    ]
    assert cli.run(["simulate", "letters", *words]) == 0
    said = capsys.readouterr().out
    assert said.count("  WITHDRAWN") == 2


def test_where_no_run_ends_no_time_is_made_up(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    agent = '  work: {type: agent, python: "a:b", next: ask}\n'
    (project / "workflows" / "letters.yaml").write_text(WORKFLOW.replace("states:\n", f"states:\n{agent}"))
    (project / "sim.yaml").write_text(f"{CONFIG}agents: {{work: {{takes: 1m, error: broken}}}}\n")
    words = ("--config", "sim.yaml", "--no-what-if")

    assert cli.run(["simulate", "letters", *words]) == 0

    said = capsys.readouterr().out
    assert "none reaches an end, so how long one takes is not known; 0.0 are open at the end" in said
    assert "in the median" not in said
    runs = _json(capsys, *words)["numbers"]["runs"]
    assert runs["cycle_p50"] is None
    assert runs["failed"]["share"][0] == 1


def test_a_day_without_waits_has_none(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    rare = "arrivals: {rate: 1/w, fixed: true}\npeople: {bosses: {count: 1, roles: [boss], hours: always, takes: 1h}}"
    (project / "sim.yaml").write_text(f"days: 10\nreplications: 2\n{rare}\n")
    words = ("--config", "sim.yaml", "--no-what-if", "--csv", "out.csv", "--html", "out.html")

    days = _json(capsys, *words)["over_time"]["state ask"]

    waits = [day["wait_p50"] for day in days]
    assert [day for day, wait in enumerate(waits, 1) if wait is not None] == [8]
    key = ("state", "ask", "wait_p50")
    found = [row["value"] for row in _rows(project) if row["day"] and (row["kind"], row["name"], row["measure"]) == key]
    assert found == [*[""] * 7, "0", "", ""]


def test_what_nobody_has_begun_with_waited_for_no_time(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    slow = "people: {bosses: {count: 1, roles: [boss], hours: 'fri 09:00-17:00', takes: 1m}}"
    text = WORKFLOW.replace("    timeout: 1d\n    default: reject\n", "    timeout: never\n")
    (project / "workflows" / "letters.yaml").write_text(text)
    (project / "sim.yaml").write_text(f"days: 10\nreplications: 1\narrivals: {{rate: 5/d, fixed: true}}\n{slow}\n")
    words = ("--config", "sim.yaml", "--no-what-if", "--html", "out.html")

    days = _json(capsys, *words)["over_time"]["role boss"]

    assert [day["wait_p50"] is None for day in days] == [*[False] * 5, *[True] * 5]
    page = (project / "out.html").read_text()
    assert "<title>day 6: nobody began with any</title>" in page
    assert page.count('<polyline class="b"') == 1
    assert len(page.partition('<polyline class="b" points="')[2].partition('"')[0].split()) == 5


def _rows(project: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((project / "out.csv").read_text().splitlines()))


class _Tags(HTMLParser):
    """The tags of a page, and those that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_name_of_the_workflow_is_text_in_the_page(project: Path) -> None:
    (project / "bad.yaml").write_text("people: {'<script>alert(1)</script>': {count: 1, roles: [boss]}}")

    assert cli.run(["simulate", "letters", "--config", "bad.yaml", "--days", "3", "--html", "out.html"]) == 0

    assert "<script>" not in (project / "out.html").read_text()


def test_it_is_fitted_to_the_database(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    (project / "flow.toml").write_text('[people.ann]\nroles = ["boss"]\n')
    with Engine(project=".") as engine:
        definition = engine.load("workflows/letters.yaml")
        for option in ("approve", "approve", "reject"):
            engine.decide(engine.start(definition).id, option, by="ann")

    found = _json(capsys, "--fit", "--days", "3", "--replications", "2", "--no-what-if")

    assert "ann" in found["numbers"]["person"]
    assert found["numbers"]["option"]["ask.approve"]["share"][0] == pytest.approx(2 / 3, abs=0.2)
    assert found["assumed"] == []


def test_signals_are_fitted_to_the_database(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    waits = "  sent: {type: wait, signal: [read, lost], timeout: 9d, on: {read: end, lost: kept, timeout: kept}}\n"
    text = WORKFLOW.replace("  sent: {type: end}\n", f"{waits}  end: {{type: end}}\n")
    (project / "workflows" / "letters.yaml").write_text(text)
    (project / "flow.toml").write_text('[people.ann]\nroles = ["boss"]\n')
    with Engine(project=".") as engine:
        definition = engine.load("workflows/letters.yaml")
        for signal in ("read", "read", "lost"):
            run = engine.decide(engine.start(definition).id, "approve", by="ann")
            engine.signal(run.id, signal)

    found = _json(capsys, "--fit", "--days", "9", "--replications", "2", "--no-what-if")

    assert not [line for line in found["assumed"] if line.startswith("signals")]
    assert found["numbers"]["runs"]["success"]["share"][0] == pytest.approx(2 / 3, abs=0.15)
    assert found["waiting"] == {}


def test_it_is_fitted_to_a_log(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    rows = "".join(
        f"r{day},ask,approve,2026-01-{day:02}T09:00:00Z,2026-01-{day:02}T10:00:00Z\n" for day in range(1, 29)
    )
    (project / "log.csv").write_text("run,state,option,opened_at,settled_at\n" + rows)

    found = _json(capsys, "--log", "log.csv", "--days", "20", "--replications", "2", "--no-what-if")

    assert found["numbers"]["runs"]["started"][0] == pytest.approx(20, rel=0.5)
    assert found["numbers"]["state"]["ask"]["turnaround_p50"][0] == 3_600


def test_it_says_how_many_runs_it_is_fitted_to_and_that_they_are_few(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    header = "run,state,option,opened_at,settled_at\n"
    row = "r{},ask,approve,2026-01-05T09:00:{:02}Z,2026-01-05T10:00:00Z\n"
    (project / "log.csv").write_text(header + "".join(row.format(number, 3 * number) for number in range(4)))
    words = ("--log", "log.csv", "--days", "5", "--replications", "2", "--no-what-if")

    assert cli.run(["simulate", "letters", *words]) == 0

    printed = capsys.readouterr()
    assert "\nfitted to 4 runs that started within 9s, on 2026-01-05\n" in printed.out
    few = "it takes at least 30 runs over a week to fit to, not 4 runs that started within 9s"
    assert f"warning: {few}; give in --config what is known better\n" in printed.err
    found = _json(capsys, *words)
    assert found["fitted"]["runs"] == 4
    assert found["warnings"][0].startswith(few)


def test_enough_runs_to_fit_to_are_no_warning(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    header = "run,state,option,opened_at,settled_at\n"
    row = "r{0},ask,approve,2026-01-{0:02}T09:00:00Z,2026-01-{0:02}T10:00:00Z\n"
    (project / "log.csv").write_text(header + "".join(row.format(number) for number in range(1, 31)))

    found = _json(capsys, "--log", "log.csv", "--days", "5", "--replications", "2", "--no-what-if")

    assert found["fitted"] == {
        "runs": 30,
        "first": "2026-01-01T09:00:00.000000Z",
        "last": "2026-01-30T09:00:00.000000Z",
    }
    assert found["warnings"] == []


@pytest.mark.parametrize(
    ("takes", "said"),
    [
        pytest.param("12m", ["100.0 % of the attempts of agent 'work' take longer than its timeout of 10m"], id="all"),
        pytest.param("uniform(0s, 20m)", ["50.0 % of the attempts of agent 'work' take longer"], id="half"),
        pytest.param("10m", [], id="none"),
    ],
)
def test_an_agent_that_is_told_to_take_longer_than_its_timeout_is_warned_of(
    capsys: pytest.CaptureFixture[str], project: Path, takes: str, said: list[str]
) -> None:
    agent = '  work: {type: agent, python: "a:b", on: {done: ask, error: ask}}\n'
    (project / "workflows" / "letters.yaml").write_text(WORKFLOW.replace("states:\n", f"states:\n{agent}"))
    (project / "sim.yaml").write_text(f'{CONFIG}agents: {{work: {{takes: "{takes}", output: 1}}}}\n')

    assert cli.run(["simulate", "letters", "--config", "sim.yaml", "--no-what-if"]) == 0

    lines = [line for line in capsys.readouterr().err.splitlines() if "timeout" in line]
    assert [line.removeprefix("warning: ")[: len(start)] for line, start in zip(lines, said, strict=True)] == said


def test_what_leads_nowhere_is_told(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    (project / "workflows" / "letters.yaml").write_text(
        WORKFLOW.replace("approve: sent", "approve: more").replace(
            "  sent:", "  more: {type: wait, signal: stamp, next: sent}\n  sent:"
        )
    )

    assert cli.run(["simulate", "letters", "--config", "sim.yaml"]) == 0

    assert "replications wait in 'more' for a signal that never comes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        pytest.param(["nope"], 3, "there is no workflow 'nope'", id="no workflow"),
        pytest.param(["letters", "--config", "none.yaml"], 3, "file 'none.yaml' cannot be read", id="no configuration"),
        pytest.param(["letters", "--log", "none.csv"], 3, "file 'none.csv' cannot be read", id="no log"),
        pytest.param(["letters", "--fit", "--log", "x.csv"], 2, "give one of them", id="two pasts"),
        pytest.param(["letters", "--fit"], 6, "no run of 'letters' is there to fit to", id="nothing to fit to"),
        pytest.param(["letters", "--reviewers", "bos=1"], 2, "the role 'bos'; did you mean 'boss'?", id="no role"),
        pytest.param(["letters", "--reviewers", "boss"], 2, "--reviewers is ROLE=N", id="no count"),
        pytest.param(["letters", "--arrivals", "many"], 6, "'many' is not a rate", id="no rate"),
        pytest.param(["letters", "--warmup", "30"], 6, "warmup is 30 days of 30", id="nothing is counted"),
        pytest.param(["letters", "--days", "0"], 2, "0 is not in the range", id="no days"),
        pytest.param(["letters", "--arrivals", "9000000/h"], 6, "more than 2,000,000 runs", id="too many"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], status: int, said: str
) -> None:
    assert said in _refused(capsys, status, *words)


def test_a_mistake_in_the_configuration_is_said_at_its_place(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    (project / "bad.yaml").write_text("days: 3\npeople:\n  bosses: {cont: 2}\n")

    assert "bad.yaml:3:12: error: unknown key 'cont'" in _refused(capsys, 6, "letters", "--config", "bad.yaml")


def test_it_goes_on_from_what_waits_now(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    with Engine(project=".") as engine:
        definition = engine.load("workflows/letters.yaml")
        runs = [engine.start(definition) for _ in range(7)]
        before = [engine.history(run.id) for run in runs]
    words = ("--config", "sim.yaml", "--arrivals", "1/w", "--reviewers", "boss=0", "--days", "3", "--no-what-if")

    found = _json(capsys, *words, "--backlog")

    first, second, *_ = found["over_time"]["state ask"]
    assert first["open_mean"] > 6
    assert second["open_mean"] < 3, "their deadlines come after a day"
    assert found["numbers"]["runs"]["started"][0] < 2
    with Engine(project=".") as engine:
        assert [engine.history(run.id) for run in runs] == before
