"""Strings that break programs are stored and shown unchanged: as input, comment, answer and artifact."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdpoint import Engine, cli

WORKFLOW = """
workflow: naughty
input: {type: object, required: [text], properties: {text: {type: string}}}
states:
  draft: {type: agent, value: "a draft", artifact: work, next: review}
  review:
    type: return
    message: "{{ input.text }}"
    show: [work]
    form: {type: object, required: [text], properties: {text: {type: string}}}
    on: {accept: end, revise: draft}
    timeout: never
  end: {type: end, output: "{{ artifacts.work }}"}
"""


@pytest.fixture(scope="session")
def strings(shared_data: Path) -> list[str]:
    """The big list of naughty strings."""
    found: list[str] = json.loads((shared_data / "blns.json").read_text(encoding="utf-8"))
    assert len(found) == 461
    return found


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine in a project with the workflow, which is the current folder."""
    (tmp_path / "naughty.yaml").write_text(WORKFLOW)
    monkeypatch.chdir(tmp_path)
    with Engine("sqlite:///flow.db?synchronous=normal", project=tmp_path) as engine:
        yield engine


def test_the_api_keeps_every_string(engine: Engine, strings: list[str]) -> None:
    definition = engine.load("naughty.yaml")

    for text in strings:
        request = engine.start(definition, {"text": text}).requests[0]
        run = engine.decide(
            request.id, "accept", by="ann", comment=text, answers={"text": text}, artifact=text or "empty"
        )
        shown = json.loads(json.dumps(run.to_dict()))
        decision = shown["results"]["review"]

        assert request.message == text
        assert (shown["input"]["text"], decision["comment"], decision["answers"]["text"]) == (text, text, text)
        assert shown["artifacts"]["work"]["content"] == shown["output"] == (text or "empty")
        assert engine.artifact(run.id, "work").content == (text or "empty")
    assert engine.verify() == ()


def _flow(capfdbinary: pytest.CaptureFixture[bytes], *words: str) -> bytes:
    capfdbinary.readouterr()
    status = cli.run(words)
    printed = capfdbinary.readouterr()
    assert (status, printed.err) == (0, b"")
    return printed.out


def test_the_command_line_keeps_strings(
    engine: Engine, strings: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for number, text in enumerate(strings[::9]):
        Path("text").write_bytes(text.encode())
        name = "text=@text" if text.startswith("@") or number % 2 else f"text={text}"

        started = json.loads(_flow(capfdbinary, "start", "./naughty.yaml", "-i", name, "--json"))
        words = ["decide", started["id"], "accept", "--comment", text, "-a", name, "--artifact", "text", "--json"]
        run = json.loads(_flow(capfdbinary, *words))
        decision = run["results"]["review"]
        artifact = _flow(capfdbinary, "artifact", run["id"], "work")

        assert started["requests"][0]["message"] == run["input"]["text"] == text
        assert (decision["comment"], decision["answers"]["text"], run["output"]) == (text, text, text)
        assert artifact == text.encode()


def test_people_see_no_control_characters(
    engine: Engine, strings: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    definition = engine.load("naughty.yaml")
    wild = [text for text in strings if not text.isprintable()]

    for text in wild:
        run = engine.start(definition, {"text": text})
        shown = _flow(capfdbinary, "show", run.id).decode()

        assert all(character == "\n" or ord(character) >= 0x20 for character in shown.replace("\t", " "))
        assert not any(0x7F <= ord(character) < 0xA0 for character in shown)


def test_a_process_takes_and_prints_them_too(engine: Engine, strings: list[str]) -> None:
    text = max((text for text in strings if not text.isascii()), key=len)
    command = [str(Path(sys.executable).with_name("flow")), "start", "./naughty.yaml", "-i", f"text={text}", "--json"]

    done = subprocess.run(command, capture_output=True, check=True)

    assert json.loads(done.stdout)["input"] == {"text": text}
