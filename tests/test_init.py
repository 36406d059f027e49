"""`flow init`: a project that runs as its README says, and never at the cost of a file."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdpoint import api, cli, sources

FILES = [
    *("flow.toml", "workflows/announcement.yaml", "workflows/announcement.scenarios.yaml"),
    *("announcement_agents.py", "README.md", ".flow/workflow.schema.json", ".flow/scenarios.schema.json"),
]


@pytest.fixture
def flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., tuple[int, str, str]]:
    """Run `flow` in this process, in an empty folder: its status and what it said."""
    monkeypatch.chdir(tmp_path)
    for name in ("FLOW_DB", "FLOW_USER", "FLOW_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        capfdbinary.readouterr()
        status = cli.run(words)
        printed = capfdbinary.readouterr()
        return status, printed.out.decode(), printed.err.decode()

    return call


Flow = Callable[..., tuple[int, str, str]]


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_new_project_is_whole_and_right(flow: Flow, tmp_path: Path) -> None:
    status, said, _ = flow("init")

    assert status == 0
    assert _files(tmp_path) == sorted(FILES)
    assert flow("check", "--strict") == (0, "ok: 1 file\n", "")
    assert [line.split()[1] for line in said.splitlines() if line.startswith("made ")] == FILES


def test_an_editor_finds_the_schema(flow: Flow, tmp_path: Path) -> None:
    flow("init")
    first = (tmp_path / "workflows/announcement.yaml").read_text().splitlines()[0]

    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)

    assert named is not None
    schema = (tmp_path / "workflows" / named[1]).resolve()
    assert json.loads(schema.read_text()) == json.loads(api.schema_text())


def test_its_scenarios_pass_and_cover_all_of_its_workflow(flow: Flow, tmp_path: Path) -> None:
    flow("init")
    path = tmp_path / "workflows" / "announcement.scenarios.yaml"
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", path.read_text().splitlines()[0])

    status, said, _ = flow("test", "--min-coverage", "100")

    assert status == 0
    assert said.endswith("ok: 3 scenarios\n")
    assert named is not None
    assert json.loads((path.parent / named[1]).read_text()) == json.loads(sources.scenarios_schema_text())


def test_the_commands_that_it_names_work(flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, said, _ = flow("init", "new/my project")
    cd, *commands = [line.strip() for line in said.partition("next:\n")[2].splitlines()]

    monkeypatch.chdir(tmp_path / shlex.split(cd)[1])

    assert [flow(*shlex.split(line)[1:])[0] for line in commands] == [0, 0, 0, 0]


def test_the_readme_does_what_it_says(flow: Flow, tmp_path: Path) -> None:
    flow("init")
    readme = (tmp_path / "README.md").read_text()
    lines = [line for block in re.findall(r"^```\n(.*?)^```$", readme, re.M | re.S) for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("flow ")]
    run = ""

    for words in commands:
        status, said, err = flow(*(run if word == "RUN" else word for word in words))
        assert (status, err) == (0, ""), words
        run = run or "".join(re.findall(r"\brun_\w+", said)[:1])

    assert len(commands) == 10
    assert flow("runs", "--status", "done", "--json")[1].count(run) >= 1
    assert (tmp_path / "published" / f"{run}.md").read_text() == "News about the new office.\nWe move on Monday.\n"
    assert flow("verify")[0] == 0


def test_the_schema_is_written_anew_for_a_newer_version(flow: Flow, tmp_path: Path) -> None:
    flow("init")
    schema = tmp_path / ".flow" / "workflow.schema.json"
    made = schema.read_text()
    schema.write_text("{}")

    assert flow("schema", "-o", ".flow/workflow.schema.json") == (0, "wrote .flow/workflow.schema.json\n", "")
    assert schema.read_text() == made == flow("schema")[1]
    assert json.loads(flow("schema", "-o", "new/s.json", "--json")[1]) == {"file": "new/s.json"}
    assert (tmp_path / "new" / "s.json").read_text() == made


def test_a_schema_that_cannot_be_written_is_wrong_usage(flow: Flow, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    status, out, err = flow("schema", "-o", "file/s.json")

    assert (status, out) == (2, "")
    assert "file/s.json" in err


def test_it_can_be_asked_for_json(flow: Flow, tmp_path: Path) -> None:
    document = json.loads(flow("init", "here", "--json")[1])

    assert document.keys() == {"project", "files", "next"}
    assert (document["project"], document["files"]) == (str(tmp_path / "here"), FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_there_is_never_written_over(flow: Flow, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")

    status, out, err = flow("init")
    error = json.loads(flow("init", "--json")[1])["error"]

    assert (status, out) == (4, "")
    assert err.startswith(f"error: there is '{name}' already")
    assert (error["code"], error["details"]) == ("exists", {"files": [name]})
    assert _files(tmp_path) == [name]
    assert path.read_text() == "mine"


def test_a_link_that_leads_nowhere_is_there_too(flow: Flow, tmp_path: Path) -> None:
    (tmp_path / "flow.toml").symlink_to(tmp_path / "elsewhere")

    assert flow("init")[0] == 4
    assert _files(tmp_path) == []


def test_what_is_beside_it_stays(flow: Flow, tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "other.yaml").write_text("workflow: other\n")

    assert flow("init")[0] == 0
    assert (tmp_path / "workflows" / "other.yaml").read_text() == "workflow: other\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["init", "file/new"], "'file/new", id="below a file"),
        pytest.param(["init", "file"], "'file", id="a file"),
        pytest.param(["init", "one", "two"], "two", id="two folders"),
    ],
)
def test_a_folder_that_cannot_be_is_wrong_usage(flow: Flow, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "file").write_text("mine")

    status, out, err = flow(*words)

    assert (status, out) == (2, "")
    assert said in err
    assert _files(tmp_path) == ["file"]


def test_what_fails_half_way_leaves_nothing(flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def full(path: Path, *words: Any, **options: Any) -> Any:
        if path.name == "README.md":
            raise OSError(28, "No space left on device", str(path))
        return real(path, *words, **options)

    monkeypatch.setattr(Path, "open", full)

    status, _, err = flow("init")

    assert (status, "No space left on device" in err) == (2, True)
    assert _files(tmp_path) == []
