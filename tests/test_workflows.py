"""The example workflows: every outcome of each, through the public API; and their READMEs, command by command."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import holdpoint
from holdpoint import api
from holdpoint.scenarios.run import play_files
from holdpoint.sources import files_below
from tests import pages
from tests.examples import FILES, WORKFLOWS, Example, copy, opened

each_example = pytest.mark.parametrize("name", FILES)
each_file = pytest.mark.parametrize(("name", "file"), [(name, file) for name, files in FILES.items() for file in files])


@pytest.fixture
def expense(tmp_path: Path) -> Iterator[Example]:
    with opened("expense", tmp_path) as example:
        yield example


@pytest.fixture
def article(tmp_path: Path) -> Iterator[Example]:
    with opened("article", tmp_path) as example:
        yield example


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Example]:
    with opened("single-approval", tmp_path) as example:
        yield example


@pytest.fixture
def migration(tmp_path: Path) -> Iterator[Example]:
    with opened("migration", tmp_path) as example:
        yield example


@pytest.fixture
def supplier(tmp_path: Path) -> Iterator[Example]:
    with opened("missing-information", tmp_path) as example:
        yield example


@pytest.fixture
def incident(tmp_path: Path) -> Iterator[Example]:
    with opened("incident", tmp_path) as example:
        yield example


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Example]:
    with opened("deploy", tmp_path) as example:
        yield example


# --- all --------------------------------------------------------------------------------------------------------------


def test_every_example_is_known_here() -> None:
    assert {path.relative_to(WORKFLOWS).as_posix() for path in files_below(WORKFLOWS)} == {
        f"{name}/{file}" for name, files in FILES.items() for file in files
    }


@each_file
def test_check_finds_nothing(name: str, file: str) -> None:
    assert api.check(WORKFLOWS / name / file) == ()


@each_file
def test_the_workflow_is_found_by_its_name(name: str, file: str, tmp_path: Path) -> None:
    folder = copy(name, tmp_path)

    with holdpoint.Engine("sqlite:///:memory:", project=folder) as engine:
        assert engine.locate(engine.load(folder / file).workflow) == folder / file


@each_file
def test_the_scenarios_pass_and_cover_all_of_it(name: str, file: str, tmp_path: Path) -> None:
    scenarios = (copy(name, tmp_path) / file).with_suffix(".scenarios.yaml")

    (tested,) = play_files([scenarios])

    assert [(one.scenario.name, one.mismatches) for one in tested.played if not one.passed] == []
    assert tested.missing == []


def test_no_two_workflows_have_one_name() -> None:
    names = [api.load(WORKFLOWS / name / file).workflow for name, files in FILES.items() for file in files]

    assert len(set(names)) == len(names)


def test_agents_need_nothing_but_python_and_share_no_name() -> None:
    files = [path for name in FILES for path in (WORKFLOWS / name).glob("*.py")]

    imported = {
        module.split(".")[0]
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for module in _modules(node)
    }

    assert imported <= sys.stdlib_module_names
    assert len({path.name for path in files}) == len(files)


def _modules(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module):
            return [module or "."]
    return []


def test_two_examples_run_in_one_process(expense: Example, article: Example) -> None:
    assert expense.start(employee="ann", amount=120).state == "review"
    assert article.start(**ARTICLE).state == "edit"
    assert expense.start(employee="bob", amount=7).state == "review"


# --- expense ----------------------------------------------------------------------------------------------------------


def _ledger(example: Example) -> list[Any]:
    return example.lines("ledger.jsonl")


def test_a_small_expense_is_paid_once_the_manager_approves(expense: Example) -> None:
    run = expense.start(employee="ann", amount=120)
    run = expense.decide(run, "accept", "ann")
    assert _ledger(expense) == []

    run = expense.decide(run, "approve", "dora")

    report = {"text": "Expenses of 120.00 EUR"}
    assert expense.path(run) == ["draft", "review", "manager", "pay", "paid"]
    assert (run.status, run.outcome, run.output) == ("done", "success", {"amount": 120, "report": report})
    assert _ledger(expense) == [{"employee": "ann", "amount": 120, "report": report, "key": f"{run.id}/pay/1"}]


def test_what_is_paid_is_the_report_as_it_was_edited(expense: Example) -> None:
    run = expense.start(employee="ann", amount=120)

    run = expense.decide(run, "accept", "ann", artifact={"text": "Taxi to the fair"})
    run = expense.decide(run, "approve", "dora")

    assert run.artifacts["report"]["revision"] == 2
    assert (run.artifacts["report"]["author"], run.artifacts["report"]["author_kind"]) == ("ann", "human")
    assert _ledger(expense)[0]["report"] == run.output["report"] == {"text": "Taxi to the fair"}


def test_an_edit_that_is_no_report_is_refused(expense: Example) -> None:
    run = expense.start(employee="ann", amount=120)

    assert expense.refusal(run, "accept", "ann", artifact={"txt": "Taxi"}) is holdpoint.Invalid


def test_a_report_is_drafted_again_from_the_feedback(expense: Example) -> None:
    run = expense.start(employee="ann", amount=120)

    run = expense.decide(run, "revise", "ann", comment="taxi to the fair")

    assert expense.path(run) == ["draft", "review", "draft", "review"]
    assert run.artifacts["report"]["content"] == {"text": "Expenses of 120.00 EUR: taxi to the fair"}
    assert expense.decide(run, "accept", "ann").state == "manager"


def test_sending_back_needs_a_comment(expense: Example) -> None:
    run = expense.start(employee="ann", amount=120)

    assert expense.refusal(run, "revise", "ann") is holdpoint.Invalid


def test_a_report_is_sent_back_three_times_at_most(expense: Example) -> None:
    run = expense.start(employee="ann", amount=120)
    for number in range(3):
        assert run.requests[0].options == ("accept", "revise")
        run = expense.decide(run, "revise", "ann", comment=f"once more, {number}")

    assert run.requests[0].options == ("accept",)
    assert expense.refusal(run, "revise", "ann", comment="once more") is holdpoint.Invalid
    assert expense.decide(run, "accept", "ann").state == "manager"


@pytest.mark.parametrize(
    ("amount", "state"),
    [
        pytest.param(5000, "paid", id="at the limit"),
        pytest.param(5000.01, "director", id="above the limit"),
    ],
)
def test_what_is_above_5000_goes_to_the_director_too(expense: Example, amount: float, state: str) -> None:
    run = expense.decide(expense.start(employee="ann", amount=amount), "accept", "ann")

    assert expense.decide(run, "approve", "dora").state == state


def _at_director(expense: Example) -> holdpoint.Run:
    run = expense.decide(expense.start(employee="ann", amount=9000), "accept", "ann")
    return expense.decide(run, "approve", "dora")


def test_a_director_releases_a_large_expense(expense: Example) -> None:
    run = expense.decide(_at_director(expense), "approve", "fay")

    assert expense.path(run) == ["draft", "review", "manager", "director", "pay", "paid"]
    assert [payment["amount"] for payment in _ledger(expense)] == [9000]


def test_only_managers_and_directors_release(expense: Example) -> None:
    run = expense.decide(expense.start(employee="ann", amount=9000), "accept", "ann")
    assert expense.refusal(run, "approve", "ann") is holdpoint.NotAllowed
    assert expense.refusal(run, "approve", "eli") is holdpoint.NotAllowed

    run = expense.decide(run, "approve", "dora")

    assert expense.refusal(run, "approve", "dora") is holdpoint.NotAllowed
    assert _ledger(expense) == []


def test_a_manager_refuses(expense: Example) -> None:
    run = expense.decide(expense.start(employee="ann", amount=120), "accept", "ann")

    run = expense.decide(run, "reject", "dora")

    assert (run.status, run.state, run.outcome) == ("done", "refused", "failure")
    assert _ledger(expense) == []


def test_a_director_refuses(expense: Example) -> None:
    run = expense.decide(_at_director(expense), "reject", "eli")

    assert (run.state, run.outcome) == ("refused", "failure")
    assert _ledger(expense) == []


def test_silence_accepts_the_report_but_pays_nothing(expense: Example) -> None:
    run = expense.start(employee="ann", amount=120)

    assert expense.pass_time(run, "1d23h").state == "review"
    assert expense.pass_time(run, "1h").state == "manager"
    run = expense.pass_time(run, "2d")

    assert expense.path(run) == ["draft", "review", "manager", "refused"]
    assert (run.results["manager"]["decision"], run.results["manager"]["by_kind"]) == ("reject", "timer")
    assert _ledger(expense) == []


def test_a_silent_director_pays_nothing(expense: Example) -> None:
    run = expense.pass_time(_at_director(expense), "48h")

    assert (run.state, run.results["director"]["by"]) == ("refused", None)
    assert _ledger(expense) == []


def _run(folder: Path, program: str, data: object, key: str | None) -> subprocess.Popen[str]:
    """A command agent, started as the engine starts it."""
    environment = {**os.environ, "FLOW_KEY": key or ""}
    process = subprocess.Popen(
        [sys.executable, program],
        cwd=folder,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(data))
    process.stdin.flush()
    return process


def _end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def test_a_payment_is_made_once_per_key(expense: Example) -> None:
    first, again, other = (
        _end(_run(expense.folder, "pay.py", {"employee": "ann", "amount": amount}, key))
        for amount, key in [(120, "run_1/pay/1"), (120, "run_1/pay/1"), (7, "run_2/pay/1")]
    )

    assert first == again != other
    assert [payment["key"] for payment in _ledger(expense)] == ["run_1/pay/1", "run_2/pay/1"]


def test_of_payments_at_the_same_time_with_one_key_one_is_made(expense: Example) -> None:
    processes = [_run(expense.folder, "pay.py", {"amount": 120}, "run_1/pay/1") for _ in range(6)]

    assert len({_end(process) for process in processes}) == 1
    assert len(_ledger(expense)) == 1


def test_a_payment_without_a_key_is_not_made(expense: Example) -> None:
    status, stdout, stderr = _end(_run(expense.folder, "pay.py", {"amount": 120}, None))

    assert (status, stdout) == (1, "")
    assert "FLOW_KEY is not set" in stderr
    assert _ledger(expense) == []


# --- article ----------------------------------------------------------------------------------------------------------

ARTICLE = {"slug": "hold-points", "topic": "Hold points", "notes": ["Work stops here.", "A person releases it."]}
DRAFT = "# Hold points\n\nWork stops here.\n\nA person releases it.\n"


def _published(example: Example) -> dict[str, str]:
    """What was published, by the name of the file, without the mark at its end."""
    return {
        path.name: re.sub(r"\n<!-- \S+ -->\n$", "", path.read_text(encoding="utf-8"))
        for path in (example.folder / "published").glob("*")
    }


def _at_release(article: Example, **more: Any) -> holdpoint.Run:
    return article.decide(article.start(**ARTICLE), "accept", "nora", **more)


def test_an_article_is_published_once_it_is_released(article: Example) -> None:
    run = _at_release(article)
    assert _published(article) == {}

    run = article.decide(run, "approve", "paul")

    assert article.path(run) == ["draft", "edit", "release", "publish", "published"]
    assert (run.status, run.outcome) == ("done", "success")
    assert run.output == {"path": "published/hold-points.md", "released_by": "paul", "drafts": 1}
    assert _published(article) == {"hold-points.md": DRAFT}


def test_what_is_published_is_the_article_as_it_was_edited(article: Example) -> None:
    run = _at_release(article, artifact="# Hold points\n\nStop.\n")

    article.decide(run, "approve", "paul")

    assert _published(article) == {"hold-points.md": "# Hold points\n\nStop.\n"}


@pytest.mark.parametrize(
    ("feedback", "text"),
    [
        pytest.param("shorter", "# Hold points\n\nWork stops here.\n", id="shorter"),
        pytest.param("title: Stop!", DRAFT.replace("Hold points", "Stop!"), id="another title"),
        pytest.param("Nothing moves.", DRAFT + "\nNothing moves.\n", id="another paragraph"),
    ],
)
def test_an_article_is_drafted_again_from_the_feedback(article: Example, feedback: str, text: str) -> None:
    run = article.start(**ARTICLE)
    assert run.artifacts["article"]["content"] == DRAFT

    run = article.decide(run, "revise", "nora", comment=feedback)

    assert article.path(run) == ["draft", "edit", "draft", "edit"]
    assert run.artifacts["article"]["content"] == text


def test_the_next_draft_begins_with_what_the_editor_made_of_the_last(article: Example) -> None:
    run = article.start(**ARTICLE)

    run = article.decide(run, "revise", "nora", comment="Nothing moves.", artifact="# Hold points\n\nStop.\n")

    assert run.artifacts["article"]["revision"] == 3
    assert run.artifacts["article"]["content"] == "# Hold points\n\nStop.\n\nNothing moves.\n"


def test_an_article_is_sent_back_three_times_at_most(article: Example) -> None:
    run = article.start(**ARTICLE)
    for number in range(3):
        run = article.decide(run, "revise", "nora", comment=f"once more, {number}")

    assert run.requests[0].options == ("accept", "reject")
    assert article.refusal(run, "revise", "nora", comment="once more") is holdpoint.Invalid


def test_only_an_editor_accepts_and_only_a_publisher_releases(article: Example) -> None:
    run = article.start(**ARTICLE)
    assert article.refusal(run, "accept", "paul") is holdpoint.NotAllowed

    run = article.decide(run, "accept", "nora")

    assert article.refusal(run, "approve", "nora") is holdpoint.NotAllowed
    assert _published(article) == {}


def test_an_editor_rejects(article: Example) -> None:
    run = article.decide(article.start(**ARTICLE), "reject", "nora", comment="not for us")

    assert (run.state, run.outcome, run.output) == ("refused", "failure", {"by": "nora", "comment": "not for us"})
    assert _published(article) == {}


def test_a_publisher_rejects_with_a_comment(article: Example) -> None:
    run = _at_release(article)
    assert article.refusal(run, "reject", "paul") is holdpoint.Invalid

    run = article.decide(run, "reject", "paul", comment="too early")

    assert (run.state, run.outcome, run.output) == ("refused", "failure", {"by": "paul", "comment": "too early"})
    assert _published(article) == {}


def test_an_article_that_nobody_edits_lapses(article: Example) -> None:
    run = article.pass_time(article.start(**ARTICLE), "3d")

    assert (run.state, run.outcome) == ("lapsed", "cancelled")
    assert _published(article) == {}


def test_a_silent_publisher_publishes_nothing(article: Example) -> None:
    run = article.pass_time(_at_release(article), "2d")

    assert (run.state, run.outcome, run.output) == ("refused", "failure", {"by": None, "comment": None})
    assert _published(article) == {}


def test_an_article_never_replaces_that_of_another_run(article: Example) -> None:
    article.decide(_at_release(article), "approve", "paul")

    run = article.decide(_at_release(article, artifact="# Other\n"), "approve", "paul")

    assert (run.state, run.outcome) == ("unpublished", "failure")
    assert "published/hold-points.md was published by another run" in run.output["error"]
    assert _published(article) == {"hold-points.md": DRAFT}


@pytest.mark.parametrize("slug", ["../hold-points", "a/b", "", ".", "Hold Points"])
def test_a_slug_that_is_no_name_for_a_file_is_refused(article: Example, slug: str) -> None:
    with pytest.raises(holdpoint.Invalid):
        article.start(**{**ARTICLE, "slug": slug})

    assert article.engine.runs().items == ()


def test_an_article_is_published_once_per_key(article: Example) -> None:
    data = {"slug": "hold-points", "text": DRAFT}

    first, again, other = (
        _end(_run(article.folder, "publish.py", data, key))
        for key in ("run_1/publish/1", "run_1/publish/1", "run_2/publish/1")
    )

    assert first == again == (0, '{"path": "published/hold-points.md"}', "")
    assert other == (1, "", "published/hold-points.md was published by another run\n")
    assert _published(article) == {"hold-points.md": DRAFT}


# --- single approval --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "state", "outcome"),
    [pytest.param("approve", "approved", "success"), pytest.param("reject", "rejected", "failure")],
)
def test_anybody_answers_a_single_approval(single: Example, option: str, state: str, outcome: str) -> None:
    run = single.decide(single.start(question="Ship it?"), option, "ben")

    assert (run.status, run.state, run.outcome, run.output) == ("done", state, outcome, {"by": "ben"})


def test_a_single_approval_is_rejected_after_an_hour(single: Example) -> None:
    run = single.start()

    assert single.pass_time(run, "59m59s").state == "ask"
    run = single.pass_time(run, "1s")

    assert (run.state, run.outcome, run.output) == ("rejected", "failure", {"by": None})


def test_a_single_approval_asks_what_it_is_told_to(single: Example) -> None:
    assert single.start().requests[0].message == "Go on?"
    assert single.start(question="Ship it?").requests[0].message == "Ship it?"


# --- a migration window -----------------------------------------------------------------------------------------------

FIRST_NIGHT = {"start": "2026-01-06T02:00:00Z", "end": "2026-01-06T02:30:00Z"}


def _columns(example: Example) -> list[str]:
    """The columns of the shop's table of customers; none before the first migration."""
    with closing(sqlite3.connect(example.folder / "shop.sqlite")) as database:
        return [row[1] for row in database.execute("PRAGMA table_info(customers)")]


def test_a_migration_runs_in_the_window_that_was_confirmed(migration: Example) -> None:
    run = migration.start(migration="add_email")
    assert run.artifacts["window"]["content"] == FIRST_NIGHT

    run = migration.decide(run, "accept", "dana")
    assert (run.state, run.status) == ("hold", "waiting")
    assert migration.pass_time(run, "16h59m59s").state == "hold"
    assert _columns(migration) == []
    run = migration.pass_time(run, "1s")

    assert migration.path(run) == ["propose", "confirm", "hold", "migrate", "verify", "migrated"]
    assert (run.outcome, run.output) == ("success", {"window": FIRST_NIGHT, "confirmed_by": "dana"})
    assert _columns(migration) == ["name", "email"]


def test_a_person_changes_the_window(migration: Example) -> None:
    window = {"start": "2026-01-05T12:00:00Z", "end": "2026-01-05T12:10:00Z"}

    run = migration.decide(migration.start(migration="add_email"), "accept", "dana", artifact=window)
    run = migration.pass_time(run, "3h")

    assert (run.state, run.output["window"]) == ("migrated", window)


@pytest.mark.parametrize(
    ("feedback", "night"),
    [
        pytest.param("we have a sale on that day", "2026-01-07", id="the next night"),
        pytest.param("2026-02-01", "2026-02-01", id="the night that is named"),
        pytest.param("2020-02-01", "2026-01-06", id="a night that has passed"),
    ],
)
def test_another_window_is_proposed_from_the_feedback(migration: Example, feedback: str, night: str) -> None:
    run = migration.decide(migration.start(migration="add_email"), "revise", "dana", comment=feedback)

    assert migration.path(run) == ["propose", "confirm", "propose", "confirm"]
    assert run.artifacts["window"]["content"] == {"start": f"{night}T02:00:00Z", "end": f"{night}T02:30:00Z"}


@pytest.mark.parametrize(
    "window",
    [
        pytest.param({"start": "2026-01-05T08:00:00Z", "end": "2026-01-05T08:30:00Z"}, id="it has passed"),
        pytest.param({"start": "2026-01-07T08:00:00Z", "end": "2026-01-06T08:30:00Z"}, id="it ends before it begins"),
    ],
)
def test_a_window_that_is_none_is_proposed_again(migration: Example, window: dict[str, str]) -> None:
    run = migration.decide(migration.start(migration="add_email"), "accept", "dana", artifact=window)

    assert migration.path(run) == ["propose", "confirm", "propose", "confirm"]
    assert run.artifacts["window"]["content"] == FIRST_NIGHT


@pytest.mark.parametrize(
    "window", ["tonight", {"start": "tonight", "end": "2026-01-06T02:30:00Z"}, {"start": "2026-01-06T02:00:00Z"}]
)
def test_a_change_that_is_no_window_is_refused(migration: Example, window: object) -> None:
    run = migration.start(migration="add_email")

    assert migration.refusal(run, "accept", "dana", artifact=window) is holdpoint.Invalid


def test_only_who_keeps_the_database_confirms(migration: Example) -> None:
    run = migration.start(migration="add_email")

    assert migration.refusal(run, "accept", "ann") is holdpoint.NotAllowed


def test_silence_about_a_window_means_no(migration: Example) -> None:
    run = migration.pass_time(migration.start(migration="add_email"), "12h")

    assert (run.state, run.outcome, run.output) == ("declined", "cancelled", {"by": None, "comment": None})
    assert _columns(migration) == []


def test_a_window_is_rejected(migration: Example) -> None:
    run = migration.decide(migration.start(migration="add_email"), "reject", "dana", comment="not this year")

    assert (run.state, run.output) == ("declined", {"by": "dana", "comment": "not this year"})


@pytest.mark.parametrize(
    ("at", "state"),
    [
        pytest.param(datetime(2026, 1, 6, 2, 29, 59, 999_999, tzinfo=UTC), "migrated", id="at its last moment"),
        pytest.param(datetime(2026, 1, 6, 2, 30, tzinfo=UTC), "missed", id="at its end"),
        pytest.param(datetime(2026, 1, 6, 2, 30, 0, 1, tzinfo=UTC), "missed", id="a moment after it"),
        pytest.param(datetime(2026, 1, 6, 2, 31, tzinfo=UTC), "missed", id="a minute after it"),
    ],
)
def test_what_runs_only_after_the_window_does_not_migrate(migration: Example, at: datetime, state: str) -> None:
    run = migration.decide(migration.start(migration="add_email"), "accept", "dana")

    migration.clock.set(at)  # no process was there until then
    migration.engine.tick()
    run = migration.engine.get_run(run.id)

    assert run.state == state
    assert _columns(migration) == (["name", "email"] if state == "migrated" else [])


@pytest.mark.parametrize(
    ("at", "state"),
    [
        pytest.param(datetime(2026, 1, 5, 11, 59, 59, 999_999, tzinfo=UTC), "hold", id="before it begins"),
        pytest.param(datetime(2026, 1, 5, 12, 0, tzinfo=UTC), "confirm", id="as it begins"),
        pytest.param(datetime(2026, 1, 5, 12, 0, 0, 1, tzinfo=UTC), "confirm", id="a moment later"),
    ],
)
def test_a_window_is_confirmed_before_it_begins(migration: Example, at: datetime, state: str) -> None:
    run = migration.start(migration="add_email")
    window = {"start": "2026-01-05T12:00:00Z", "end": "2026-01-05T12:10:00Z"}

    migration.clock.set(at)

    assert migration.decide(run, "accept", "dana", artifact=window).state == state


def test_a_migration_that_another_run_has_applied_is_not_applied_again(migration: Example) -> None:
    runs = [migration.decide(migration.start(migration="add_phone"), "accept", "dana") for _ in range(2)]

    migration.clock.advance(migration.engine, "1d")

    ended = {run.state: run for run in (migration.engine.get_run(run.id) for run in runs)}
    assert set(ended) == {"migrated", "not_migrated"}
    assert "add_phone was applied by another run" in ended["not_migrated"].output["error"]
    assert _columns(migration) == ["name", "phone"]


def test_a_migration_that_is_not_there_afterwards_is_a_failure(tmp_path: Path) -> None:
    found = {"ok": False, "columns": ["name"], "customers": 2}

    with opened("migration", tmp_path, agents={"migration-window/verify": lambda migration: found}) as example:
        run = example.decide(example.start(migration="add_email"), "accept", "dana")
        run = example.pass_time(run, "1d")

    assert (run.state, run.outcome, run.output) == ("broken", "failure", {"found": found})


def test_a_migration_is_made_once_per_key(migration: Example) -> None:
    first, again, other = (
        _end(_run(migration.folder, "migrate.py", {"migration": "add_email"}, key))
        for key in ("run_1/migrate/1", "run_1/migrate/1", "run_2/migrate/1")
    )

    assert first == again == (0, '{"applied": "add_email"}', "")
    assert other == (1, "", "add_email was applied by another run\n")
    assert _columns(migration) == ["name", "email"]


# --- missing information ----------------------------------------------------------------------------------------------

IBAN = "DE89 3704 0044 0532 0130 00"


def test_a_record_that_lacks_nothing_is_not_asked_about(supplier: Example) -> None:
    run = supplier.start(name="Acme", iban=IBAN, country="DE")
    assert run.state == "terms"

    run = supplier.decide(run, "submit", "kim", answers={"days": 14})

    assert supplier.path(run) == ["look", "terms", "register", "registered"]
    assert (run.outcome, run.output["days"], run.output["iban"]) == ("success", 14, IBAN)


def test_what_is_missing_is_asked_for_and_then_it_goes_on(supplier: Example) -> None:
    run = supplier.start(name="Acme", country="DE")
    (request,) = run.requests
    assert (request.kind, request.options) == ("form", ("submit",))
    assert request.message == "The record of Acme lacks iban."

    run = supplier.decide(run, "submit", "ann", answers={"iban": IBAN})
    run = supplier.decide(run, "submit", "kim", answers={"days": 60})

    assert supplier.path(run) == ["look", "ask", "look", "terms", "register", "registered"]
    assert {name: run.output[name] for name in ("name", "iban", "country", "days")} == {
        "name": "Acme",
        "iban": IBAN,
        "country": "DE",
        "days": 60,
    }


def test_an_answer_that_is_wrong_is_asked_for_again_with_the_right_ones_filled_in(supplier: Example) -> None:
    run = supplier.start(name="Acme")

    run = supplier.decide(run, "submit", "ann", answers={"iban": "DE00 3704", "country": "DE"})

    (request,) = run.requests
    assert request.message == "The record of Acme lacks iban."
    assert request.form["properties"]["iban"]["default"] == "DE00 3704"
    assert request.form["properties"]["country"]["default"] == "DE"
    assert supplier.decide(run, "submit", "ann", answers={"iban": IBAN}).state == "terms"


def test_after_three_times_it_is_not_asked_for_again(supplier: Example) -> None:
    run = supplier.start(name="Acme", country="DE")
    for number in range(3):
        assert run.state == "ask"
        run = supplier.decide(run, "submit", "ann", answers={"iban": str(number)})

    assert (run.state, run.outcome, run.output) == ("incomplete", "failure", {"missing": ["iban"]})


def test_only_who_sent_the_record_is_asked(supplier: Example) -> None:
    run = supplier.start(name="Acme")

    assert supplier.refusal(run, "submit", "kim", answers={"iban": IBAN}) is holdpoint.NotAllowed


def test_a_record_that_nobody_completes_lapses(supplier: Example) -> None:
    run = supplier.start(name="Acme")

    assert supplier.pass_time(run, "4d").state == "ask"
    run = supplier.pass_time(run, "1d")

    assert (run.state, run.outcome, run.output) == ("lapsed", "cancelled", {"missing": ["iban", "country"]})


def test_without_an_answer_the_terms_are_those_of_the_default(supplier: Example) -> None:
    run = supplier.pass_time(supplier.start(name="Acme", iban=IBAN, country="DE"), "2d")

    assert (run.state, run.output["days"]) == ("registered", 30)
    assert (run.results["terms"]["by"], run.results["terms"]["by_kind"]) == (None, "timer")


@pytest.mark.parametrize("answers", [{"days": 15}, {"days": "14"}, {}, None, {"days": 14, "note": 7}])
def test_terms_that_are_none_are_refused(supplier: Example, answers: object) -> None:
    run = supplier.start(name="Acme", iban=IBAN, country="DE")

    assert supplier.refusal(run, "submit", "kim", answers=answers) is holdpoint.Invalid


# --- an incident ------------------------------------------------------------------------------------------------------

OUTAGE = {"service": "shop", "summary": "no orders for ten minutes"}
CLOSED = {"cause": "a full disk"}


def _pages(example: Example) -> list[str]:
    return [page["who"] for page in example.lines("pages.jsonl")]


def _signal(example: Example, run: holdpoint.Run, name: str, note: str, **more: Any) -> holdpoint.Run:
    return example.engine.signal(run.id, name, {"note": note}, **more)


def test_an_incident_that_is_resolved_is_reviewed(incident: Example) -> None:
    run = incident.start(**OUTAGE)
    assert (run.state, run.status, run.requests) == ("first_line", "waiting", ())

    run = _signal(incident, run, "resolved", "restarted")
    assert run.requests[0].message == "What was the cause? It ended with: restarted"
    run = incident.decide(run, "submit", "ann", answers={**CLOSED, "actions": ["a larger disk"]})

    assert incident.path(run) == ["page_on_call", "first_line", "review", "closed"]
    assert run.output == {"was_major": False, "cause": "a full disk", "actions": ["a larger disk"]}
    assert _pages(incident) == ["on-call"]


def test_an_incident_that_gets_worse_goes_to_the_next_line(incident: Example) -> None:
    run = _signal(incident, incident.start(**OUTAGE), "worse", "payments too")

    assert run.state == "second_line"
    assert incident.lines("pages.jsonl")[1] == {"who": "lead", "service": "shop", "text": "payments too"}
    assert _signal(incident, run, "resolved", "rolled back").state == "review"


def test_an_incident_of_which_nothing_is_heard_goes_to_the_next_line_and_the_next(incident: Example) -> None:
    run = incident.start(**OUTAGE)

    assert incident.pass_time(run, "29m59s").state == "first_line"
    assert incident.pass_time(run, "1s").state == "second_line"
    assert incident.pass_time(run, "2h").state == "major"
    run = incident.pass_time(run, "15m")

    assert (run.state, run.status) == ("to_the_end", "waiting")
    assert (run.results["major"]["decision"], run.results["major"]["by"]) == ("declare", None)
    assert _pages(incident) == ["on-call", "lead", "everybody"]


def test_a_major_incident_waits_for_its_end_as_long_as_it_takes(incident: Example) -> None:
    run = incident.pass_time(incident.start(**OUTAGE), "3h")

    assert incident.pass_time(run, "365d").state == "to_the_end"
    run = _signal(incident, run, "resolved", "at last")
    run = incident.pass_time(run, "3d")

    assert run.output == {"was_major": True, "cause": "not written down", "actions": []}


def test_the_lead_keeps_an_incident_small(incident: Example) -> None:
    run = incident.pass_time(incident.start(**OUTAGE), "2h30m")
    assert (run.requests[0].priority, run.requests[0].options) == ("urgent", ("declare", "keep"))
    assert incident.refusal(run, "declare", "ann") is holdpoint.NotAllowed

    run = incident.decide(run, "keep", "lea")
    run = incident.decide(_signal(incident, run, "resolved", "fixed"), "submit", "ann", answers=CLOSED)

    assert run.output["was_major"] is False
    assert _pages(incident) == ["on-call", "lead"]


def test_a_signal_that_comes_before_its_wait_is_kept_for_it(incident: Example) -> None:
    run = incident.pass_time(incident.start(**OUTAGE), "2h30m")

    run = _signal(incident, run, "resolved", "it went away")
    assert run.state == "major"  # the lead is still to say what it was
    run = incident.decide(run, "declare", "lea")

    assert incident.path(run)[-4:] == ["major", "page_everybody", "to_the_end", "review"]
    assert run.results["to_the_end"] == {"note": "it went away"}


def test_early_signals_are_taken_oldest_first_one_by_each_wait(incident: Example) -> None:
    run = incident.engine.start(incident.definition, OUTAGE, initiator="ann", advance=False)
    for name, note in [("worse", "payments too"), ("resolved", "both fixed"), ("resolved", "again")]:
        run = _signal(incident, run, name, note, advance=False)
    assert run.state == "page_on_call"

    run = incident.engine.advance(run.id)

    assert incident.path(run) == ["page_on_call", "first_line", "page_lead", "second_line", "review"]
    assert (run.results["first_line"], run.results["second_line"]) == (
        {"note": "payments too"},
        {"note": "both fixed"},
    )


def test_one_alarm_that_is_sent_twice_with_its_key_is_one_signal(incident: Example) -> None:
    run = incident.start(**OUTAGE)

    run = _signal(incident, run, "worse", "payments too", key="alarm-7")
    run = _signal(incident, run, "worse", "payments too", key="alarm-7")
    assert run.state == "second_line"
    with pytest.raises(holdpoint.Conflict) as caught:
        _signal(incident, run, "worse", "and logins", key="alarm-7")

    assert caught.value.code == "key_reused"
    assert incident.engine.get_run(run.id).state == "second_line"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("resolvd", {"note": "x"}, id="a name that no wait has"),
        pytest.param("resolved", None, id="no data"),
        pytest.param("resolved", {"note": ""}, id="data that says nothing"),
    ],
)
def test_a_signal_that_no_wait_takes_is_refused(incident: Example, name: str, data: object) -> None:
    run = incident.start(**OUTAGE)

    with pytest.raises(holdpoint.Invalid):
        incident.engine.signal(run.id, name, data)

    assert incident.engine.get_run(run.id).state == "first_line"


def test_an_incident_that_is_closed_takes_no_signal(incident: Example) -> None:
    run = _signal(incident, incident.start(**OUTAGE), "resolved", "restarted")
    run = incident.decide(run, "submit", "ann", answers=CLOSED)

    with pytest.raises(holdpoint.Conflict):
        _signal(incident, run, "worse", "it is back")


# --- a deployment in two steps ----------------------------------------------------------------------------------------


def _machines(example: Example) -> list[str]:
    """The version on each machine; none before the first step."""
    file = example.folder / "machines.json"
    return list(json.loads(file.read_text(encoding="utf-8")).values()) if file.exists() else []


def test_a_version_is_deployed_to_one_machine_and_then_to_all(deploy: Example) -> None:
    run = deploy.start(version="1.4")
    assert (run.state, _machines(deploy)) == ("watch", ["1.4", "1.0", "1.0"])

    run = deploy.decide(run, "approve", "rita")

    assert deploy.path(run) == ["canary", "watch", "everywhere", "deployed"]
    assert (run.outcome, run.output) == ("success", {"machines": ["m1", "m2", "m3"], "approved_by": "rita"})
    assert _machines(deploy) == ["1.4", "1.4", "1.4"]


def test_a_version_that_does_not_do_is_taken_back(deploy: Example) -> None:
    run = deploy.decide(deploy.start(version="1.4"), "reject", "rita")

    assert deploy.path(run) == ["canary", "watch", "take_back", "taken_back"]
    assert (run.outcome, run.output) == ("failure", {"why": "rejected"})
    assert _machines(deploy) == ["1.0", "1.0", "1.0"]


def test_a_version_at_which_nobody_looks_is_taken_back(deploy: Example) -> None:
    run = deploy.pass_time(deploy.start(version="1.4"), "2h")

    assert (run.state, run.results["watch"]["by_kind"]) == ("taken_back", "timer")
    assert _machines(deploy) == ["1.0", "1.0", "1.0"]


def test_a_step_that_fails_is_tried_again_after_a_growing_delay(deploy: Example) -> None:
    (deploy.folder / "outage.txt").write_text("3")

    run = deploy.start(version="1.4")
    assert (run.state, run.status, _machines(deploy)) == ("canary", "waiting", [])
    run = deploy.pass_time(run, "2m10s")

    failed = [entry for entry in deploy.engine.history(run.id) if entry.kind == "agent.failed"]
    first, second, third = ((datetime.fromisoformat(entry.data["retry_at"]) - entry.at).seconds for entry in failed)
    assert run.state == "watch"
    assert 5 <= first <= 10 <= 15 <= second <= 30 <= third <= 60
    assert _machines(deploy) == ["1.4", "1.0", "1.0"]


def test_a_step_that_fails_every_time_is_taken_back(deploy: Example) -> None:
    (deploy.folder / "outage.txt").write_text("4")

    run = deploy.pass_time(deploy.start(version="1.4"), "5m")

    assert (run.state, run.visits["canary"]) == ("taken_back", 1)
    assert "the registry cannot be reached" in run.output["why"]
    assert [entry.kind for entry in deploy.engine.history(run.id)].count("agent.failed") == 4


def test_cancelling_cleans_up_what_was_begun(deploy: Example) -> None:
    run = deploy.engine.cancel(deploy.start(version="1.4").id, reason="wrong version")

    assert deploy.path(run) == ["canary", "watch", "clean_up", "cancelled"]
    assert (run.outcome, run.output) == ("cancelled", {"taken_back_from": ["m1"]})
    assert _machines(deploy) == ["1.0", "1.0", "1.0"]
    assert deploy.engine.inbox().items == ()


def test_cancelling_between_two_attempts_cleans_up_too(deploy: Example) -> None:
    (deploy.folder / "outage.txt").write_text("1")

    run = deploy.engine.cancel(deploy.start(version="1.4").id)

    assert (run.state, run.output) == ("cancelled", {"taken_back_from": []})


def test_cancelling_a_second_time_cleans_up_nothing(deploy: Example) -> None:
    run = deploy.engine.cancel(deploy.start(version="1.4").id, advance=False)
    assert run.state == "clean_up"

    run = deploy.engine.cancel(run.id)

    assert run.status == "cancelled"
    assert _machines(deploy) == ["1.4", "1.0", "1.0"]


def test_only_who_releases_decides_about_a_version(deploy: Example) -> None:
    assert deploy.refusal(deploy.start(version="1.4"), "approve", "ann") is holdpoint.NotAllowed


@pytest.fixture
def crashed(tmp_path: Path) -> Iterator[Example]:
    """A run whose process was killed in the second step, and nobody knows whether that took effect."""
    with opened("deploy", tmp_path, url="sqlite:///flow.db") as example:
        run = example.start(version="1.4")
        example.engine.decide(run.id, "approve", by="rita", advance=False)
        program = example.folder / "deploy.py"
        text = program.read_text(encoding="utf-8")
        program.write_text("import os\nos.kill(os.getppid(), 9)\n", encoding="utf-8")
        code = (
            "import sys, holdpoint, holdpoint.testing\n"
            "holdpoint.Engine(clock=holdpoint.testing.Clock()).advance(sys.argv[1])"
        )
        done = subprocess.run([sys.executable, "-c", code, run.id], cwd=example.folder, timeout=60, check=False)
        assert done.returncode == -signal.SIGKILL
        program.write_text(text, encoding="utf-8")
        assert example.engine.tick()["recovered"] == 1
        yield example


def _only_run(example: Example) -> holdpoint.Run:
    (run,) = example.engine.runs().items
    return example.engine.get_run(run.id)


def test_a_crash_in_the_second_step_asks_who_releases(crashed: Example) -> None:
    run = _only_run(crashed)
    (request,) = run.requests

    assert (request.kind, request.options, request.priority) == ("crash", ("retry", "done", "fail"), "urgent")
    assert (run.state, request.assign) == ("everywhere", ["role:release"])
    assert crashed.refusal(run, "retry", "ann") is holdpoint.NotAllowed
    assert _machines(crashed) == ["1.4", "1.0", "1.0"]


@pytest.mark.parametrize(
    ("option", "answers", "state", "machines"),
    [
        pytest.param("retry", None, "deployed", ["1.4", "1.4", "1.4"], id="it had not, and is made again"),
        pytest.param("done", {"machines": ["m2", "m3"]}, "deployed", ["1.4", "1.0", "1.0"], id="it had"),
        pytest.param("fail", None, "taken_back", ["1.0", "1.0", "1.0"], id="it is given up"),
    ],
)
def test_who_releases_says_whether_the_second_step_took_effect(
    crashed: Example, option: str, answers: object, state: str, machines: list[str]
) -> None:
    run = crashed.decide(_only_run(crashed), option, "rita", answers=answers)

    assert (run.state, _machines(crashed)) == (state, machines)


def test_a_crash_about_which_nobody_says_anything_is_a_failure(crashed: Example) -> None:
    run = crashed.pass_time(_only_run(crashed), "1h")

    assert (run.state, run.outcome) == ("taken_back", "failure")
    assert _machines(crashed) == ["1.0", "1.0", "1.0"]


# --- the READMEs ------------------------------------------------------------------------------------------------------

READMES = (
    "One bash session runs the ```bash blocks of a README in order; a ```text block after one shows what it prints."
)
_BLOCK = re.compile(r"^```bash\n(.*?)^```\n(?:\s*^```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
_DIFFERENT_EACH_TIME = [
    (re.compile(r"\b(run|req)_[0-9a-z]{16}\b"), r"\1_ID"),
    *pages.TIMES,
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA-256"),
    (re.compile(r"\bmsg_[0-9a-f]{16}\b"), "msg_ID"),  # made of the run's id
    (re.compile(r"\bjust now\b|\bin \d+[a-z]+\b|\b\d+[a-z]+ ago\b"), "NEARBY"),
    (re.compile(r"\d{4}-\d\d-\[-\d\dT"), "YEAR-MONTH-[-DAYT"),  # a redline within a date
    (re.compile(r"\{\+\d\dT"), "{+DAYT"),
    (re.compile(r" +"), " "),
]
# In the environment of whoever runs the tests: another database, another person, other widths and colours.
_WOULD_CHANGE = ("FLOW_", "COLUMNS", "FORCE_COLOR")


def _session(folder: Path, blocks: list[str]) -> list[str]:
    """What each block prints, standard error included, when they are typed one after the other into one shell."""
    mark = "--- end of block ---"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_WOULD_CHANGE)}
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    flow = f'flow() {{ {shlex.quote(sys.executable)} -P -m holdpoint.cli "$@"; }}\n'  # ours, whatever is installed
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", flow + "".join(f"{block}\necho '{mark}'\n" for block in blocks)],
        cwd=folder,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.split(f"{mark}\n")[:-1]


def _lines(text: str) -> list[str]:
    """The lines of a text without what differs from run to run, and without the padding of tables."""
    for pattern, replacement in _DIFFERENT_EACH_TIME:
        text = pattern.sub(replacement, text)
    return [line.rstrip() for line in text.strip("\n").split("\n")]


@each_example
def test_the_commands_of_the_readme_print_what_it_shows(name: str, tmp_path: Path) -> None:
    folder = copy(name, tmp_path)
    blocks = _BLOCK.findall((folder / "README.md").read_text(encoding="utf-8"))

    printed = _session(folder, [block for block, _ in blocks])

    for (block, shown), output in zip(blocks, printed, strict=True):
        assert _lines(output) == _lines(shown), block


@each_example
def test_the_readme_shows_the_graphs(name: str) -> None:
    readme = (WORKFLOWS / name / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```mermaid\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)

    with holdpoint.Engine("sqlite:///:memory:") as engine:
        drawn = [engine.graph(engine.load(WORKFLOWS / name / file), "mermaid") for file in FILES[name]]

    assert [graph.strip() for graph in shown] == [graph.strip() for graph in drawn]


@each_example
def test_every_link_of_the_readme_leads_to_a_file(name: str) -> None:
    readme = (WORKFLOWS / name / "README.md").read_text(encoding="utf-8")

    assert [link for link in re.findall(r"\]\(([^)#:]+)\)", readme) if not (WORKFLOWS / name / link).exists()] == []
