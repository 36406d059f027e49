"""What the tests of drawings share: pictures of every example, of runs in every standing, and of many runs.

`python -m tests.drawings`, in the folder of the repository, draws those of them that the documentation shows.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import holdpoint
from holdpoint.api import load
from holdpoint.graphs import Picture, draw, picture_of, picture_of_run, picture_of_traffic
from holdpoint.stores.sqlite import SqliteStore
from tests.examples import FILES, WORKFLOWS, Example, opened

EXAMPLES = tuple(f"{name}/{file}" for name, files in FILES.items() for file in files)
OVERLAYS = ("waiting", "failed", "refused", "moved", "cancelled", "heat")
ALL = (*EXAMPLES, *OVERLAYS)
"""The names of all pictures that the tests look at."""

SHOWN = {
    "expense.svg": "expense/expense.yaml",
    "deploy.svg": "deploy/deploy.yaml",
    "run.svg": "waiting",
    "heat.svg": "heat",
}
"""The drawings in docs/pictures, each with the picture that it is of."""

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
_RUN_ID = re.compile(r"run_[0-9a-z]{16}")
_URL = "sqlite:///flow.db?synchronous=normal"


@cache
def picture(name: str) -> Picture:
    """The picture of that name, of `ALL`."""
    return picture_of(load(WORKFLOWS / name)) if "/" in name else _overlays()[name]


@cache
def _overlays() -> Mapping[str, Picture]:
    with tempfile.TemporaryDirectory() as folder:
        return dict(_drawn(Path(folder)))


def _drawn(folder: Path) -> Iterator[tuple[str, Picture]]:
    for name in ("waiting", "failed", "refused", "moved"):
        with opened("expense", folder / name, url=_URL, agents=expense_agents(fails=name == "failed")) as example:
            yield name, _of_run(example, _sent(example, name))
    with opened("deploy", folder / "cancelled", url=_URL, agents=_DEPLOY) as example:
        yield "cancelled", _of_run(example, example.engine.cancel(example.start(version="1.2").id, by="ann"))
    with opened("expense", folder / "heat", url=_URL, agents=expense_agents()) as example:
        start_many(example)
        store = SqliteStore(f"sqlite:///{example.folder / 'flow.db'}")
        traffic = store.traffic(example.definition.workflow, example.definition.version)
        store.close()
        yield "heat", picture_of_traffic(example.definition, traffic, is_all=False)


_DEPLOY = {f"two-step-deploy/{state}": lambda **given: {"machines": ["a"]} for state in ("canary", "clean_up")}


def expense_agents(*, fails: bool = False) -> Mapping[str, Any]:
    """Agents for the expense workflow that touch nothing; paying *fails* if it shall."""

    def pay(**given: Any) -> Any:
        if fails:
            raise RuntimeError("the bank's server said <503> & closed")
        return {"paid": True}

    return {"expense-approval/draft": lambda **given: {"text": "taxi"}, "expense-approval/pay": pay}


def _sent(example: Example, name: str) -> holdpoint.Run:
    """A run that has come to where its name says."""
    run = example.start(employee="ann", amount=120)
    if name == "refused":
        return example.pass_time(run, "5d")
    run = example.decide(run, "revise", "ann", comment="which taxi?")
    run = example.decide(run, "accept", "ann")
    if name == "failed":
        return example.decide(run, "approve", "dora")
    return example.engine.move(run.id, "draft", by="ann", reason="once more") if name == "moved" else run


def start_many(example: Example, count: int = 40) -> None:
    """Runs of the expense workflow, some of which nobody answers; the same ones each time."""
    chance = random.Random(7)
    waiting: list[str] = []
    for _ in range(count):
        example.clock.advance(example.engine, "7h")
        waiting.append(example.start(employee="ann", amount=chance.choice((50, 200, 6000))).id)
        waiting = [run_id for run_id in waiting if _is_left_waiting(example, run_id, chance)]


def _is_left_waiting(example: Example, run_id: str, chance: random.Random) -> bool:
    run = example.engine.get_run(run_id)
    if run.status != "waiting":
        return False
    option, by = {
        "review": (chance.choice(("accept", "accept", "revise")), "ann"),
        "manager": (chance.choice(("approve", "approve", "reject")), "dora"),
        "director": ("approve", "eli"),
    }[run.state or ""]
    if chance.random() < 0.4:
        example.decide(run, option, by, comment="so be it")
    return True


def _of_run(example: Example, run: holdpoint.Run) -> Picture:
    store = SqliteStore(f"sqlite:///{example.folder / 'flow.db'}")
    try:
        return picture_of_run(example.definition, store.run(run.id), store.history(run.id))
    finally:
        store.close()


def shown(file: str) -> str:
    """The drawing that the documentation shows under this name; a run has the same id each time."""
    return _RUN_ID.sub("run_037sqs7zqj3qdgm5", str(draw(picture(SHOWN[file]), "svg")))


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for name in SHOWN:
        (PICTURES / name).write_text(shown(name), encoding="utf-8")
