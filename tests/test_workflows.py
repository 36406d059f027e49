"""The example workflows: every outcome of each, through the public API; and their READMEs, command by command."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import holdpoint
from holdpoint import api
from holdpoint.testing import Clock

WORKFLOWS = Path(__file__).parents[1] / "workflows"
FILES = {"expense": "expense.yaml", "article": "article.yaml", "single-approval": "single-approval.yaml"}
each_example = pytest.mark.parametrize("name", FILES)


def _copy(name: str, folder: Path) -> Path:
    """A copy of an example, which is a project of its own."""
    ignore = shutil.ignore_patterns("__pycache__", "*.db*")
    return Path(shutil.copytree(WORKFLOWS / name, folder / name, ignore=ignore))


class Example:
    """A copy of an example and an engine on it, under a clock that stands still until it is moved."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = _copy(name, folder)
        self.clock = Clock()
        self.engine = holdpoint.Engine("sqlite:///:memory:", clock=self.clock, project=self.folder)
        self.definition = self.engine.load(self.folder / FILES[name])

    def start(self, **input: Any) -> holdpoint.Run:
        return self.engine.start(self.definition, input, initiator="ann")

    def decide(self, run: holdpoint.Run, option: str, by: str, **more: Any) -> holdpoint.Run:
        return self.engine.decide(run.id, option, by=by, **more)

    def pass_time(self, run: holdpoint.Run, duration: str) -> holdpoint.Run:
        self.clock.advance(self.engine, duration)
        return self.engine.get_run(run.id)

    def path(self, run: holdpoint.Run) -> list[str]:
        return [entry.data["state"] for entry in self.engine.history(run.id) if entry.kind == "state.entered"]

    def refusal(self, run: holdpoint.Run, option: str, by: str, **more: Any) -> type[holdpoint.HoldpointError]:
        """The class of the error that a decision meets; the run must stand as it stood."""
        with pytest.raises(holdpoint.HoldpointError) as caught:
            self.decide(run, option, by, **more)
        after = self.engine.get_run(run.id)
        assert (after.state, after.requests, after.artifacts) == (run.state, run.requests, run.artifacts)
        return caught.type


def _open(name: str, folder: Path) -> Iterator[Example]:
    """An example for one test; whatever the test did, the database holds up to `verify` at its end."""
    example = Example(name, folder)
    with example.engine:
        yield example
        assert example.engine.verify() == ()


@pytest.fixture
def expense(tmp_path: Path) -> Iterator[Example]:
    yield from _open("expense", tmp_path)


@pytest.fixture
def article(tmp_path: Path) -> Iterator[Example]:
    yield from _open("article", tmp_path)


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Example]:
    yield from _open("single-approval", tmp_path)


# --- all --------------------------------------------------------------------------------------------------------------


def test_every_example_is_known_here() -> None:
    assert {path.relative_to(WORKFLOWS).as_posix() for path in WORKFLOWS.rglob("*.yaml")} == {
        f"{name}/{file}" for name, file in FILES.items()
    }


@each_example
def test_check_finds_nothing(name: str) -> None:
    assert api.check(WORKFLOWS / name / FILES[name]) == ()


@each_example
def test_the_workflow_is_found_by_its_name(name: str, tmp_path: Path) -> None:
    folder = _copy(name, tmp_path)

    with holdpoint.Engine("sqlite:///:memory:", project=folder) as engine:
        assert engine.locate(engine.load(folder / FILES[name]).workflow) == folder / FILES[name]


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
    file = example.folder / "ledger.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


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


# --- the READMEs ------------------------------------------------------------------------------------------------------

READMES = (
    "One bash session runs the ```bash blocks of a README in order; a ```text block after one shows what it prints."
)
_BLOCK = re.compile(r"^```bash\n(.*?)^```\n(?:\s*^```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
_DIFFERENT_EACH_TIME = [
    (re.compile(r"\b(run|req)_[0-9a-z]{16}\b"), r"\1_ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?"), "TIME"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA-256"),
    (re.compile(r" +"), " "),
]
# In the environment of whoever runs the tests: another database, another person, other widths and colours.
_WOULD_CHANGE = ("FLOW_", "COLUMNS", "FORCE_COLOR")


def _session(folder: Path, blocks: list[str]) -> list[str]:
    """What each block prints, standard error included, when they are typed one after the other into one shell."""
    mark = "--- end of block ---"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_WOULD_CHANGE)}
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "".join(f"{block}\necho '{mark}'\n" for block in blocks)],
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
    folder = _copy(name, tmp_path)
    blocks = _BLOCK.findall((folder / "README.md").read_text(encoding="utf-8"))

    printed = _session(folder, [block for block, _ in blocks])

    for (block, shown), output in zip(blocks, printed, strict=True):
        assert _lines(output) == _lines(shown), block


@each_example
def test_the_readme_shows_the_graph(name: str) -> None:
    readme = (WORKFLOWS / name / "README.md").read_text(encoding="utf-8")
    (graph,) = re.findall(r"^```mermaid\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)

    with holdpoint.Engine("sqlite:///:memory:") as engine:
        assert graph.strip() == engine.graph(engine.load(WORKFLOWS / name / FILES[name]), "mermaid").strip()
