"""One run, killed at one point after the other, and brought to its end by whoever comes after; a program.

    python -m tests.durability.killing FOLDER STORY ORDER [--points N] [--seed N] [--only K[,J]]

First the story is told without a death, and the points are counted at which a process can die: before and after each
BEGIN and COMMIT, before every other statement, and before, within and after each call of an agent. Then, point by
point, a fork tells it on a fresh database and kills itself there; the next one, as a client that comes back, sends the
last command again with its key and goes on with the rest. Where two points are named, that one dies too.

Standard output is a JSON document: how many points there are, at which somebody died, and what was wrong after each.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import holdpoint
from tests.durability.dying import Points, is_always_played, watch
from tests.durability.stories import ORDERS, STORIES

ENOUGH = 5
"""With so many points gone wrong the rest says nothing new."""


@dataclass(slots=True, kw_only=True)
class Told:
    """How the story was told: at which points somebody died, what is wrong now, and what must not depend on it."""

    deaths: list[str] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    points: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)


class Stage:
    """Where the story is told, each time on a fresh copy of an empty database."""

    def __init__(self, folder: Path, story: str, order: str) -> None:
        self.folder = folder
        self.story = story
        self.order = order
        STORIES[story].definition()  # before the forks, so that it is compiled once
        _in_fork(self._make_template)
        for name in self.tell().modules:  # what each life would import anew
            with suppress(ImportError):
                import_module(name)

    def _make_template(self) -> None:
        holdpoint.Engine(f"sqlite:///{self.folder / 'template.db'}").close()

    def tell(self, *deadly: int) -> Told:
        """Tell the story in one life after the other; in each of these the process dies at this point."""
        folder = self.folder / ("-".join(str(number) for number in deadly) or "alive")
        folder.mkdir()
        shutil.copy(self.folder / "template.db", folder / "flow.db")
        told = Told()
        for life, number in enumerate([*deadly, None]):
            died = _in_fork(lambda life=life, number=number: self._live(folder, life, number))  # type: ignore[misc]
            written = folder / f"told-{life}"
            if died:
                told.deaths.append(f"point {number} of life {life}")
            elif written.exists():
                told.summary, told.points, told.modules, flaws = json.loads(written.read_text())
                told.flaws += flaws
                break
            else:
                told.flaws.append((folder / "error").read_text())
                break
        if not told.flaws:
            shutil.rmtree(folder)
        return told

    def _live(self, folder: Path, life: int, deadly: int | None) -> None:
        try:
            points = Points(deadly)
            watch(points)
            client = STORIES[self.story](folder, self.order, life, points)
            points.passed.clear()  # to open a database that is there is no part of the story
            client.live()
            passed = list(points.passed)
            client.check()
            (folder / f"told-{life}").write_text(
                json.dumps([client.summary(), passed, sorted(sys.modules), client.flaws])
            )
        except BaseException:
            (folder / "error").write_text(traceback.format_exc())
            raise


def _in_fork(act: Callable[[], object]) -> bool:
    """Whether a fork that acts was killed. This process has no thread and no connection that a fork could inherit."""
    assert threading.active_count() == 1
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def plan(points: list[str], budget: int, seed: int) -> list[tuple[int, ...]]:
    """Which points to die at: every commit and agent, and at least ten more; of those every fourth is a pair."""
    numbers = range(1, len(points) + 1)
    must = [(number,) for number in numbers if is_always_played(points[number - 1])]
    rest = [(number,) for number in numbers if not is_always_played(points[number - 1])]
    draw = random.Random(seed)
    room = max(10, budget - len(must))
    some = draw.sample(rest, min(len(rest), room - room // 4))
    pairs: set[tuple[int, ...]] = set()
    while len(pairs) < room - len(some):
        pairs.add((draw.choice(numbers), draw.choice(numbers)))
    return sorted([*must, *some, *pairs])


def main() -> None:
    """Tell the story as often as asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="an empty one")
    parser.add_argument("story", choices=STORIES)
    parser.add_argument("order", choices=ORDERS)
    parser.add_argument("--points", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    asked = parser.parse_args()
    stage = Stage(asked.folder, asked.story, asked.order)
    alive = stage.tell()
    chosen = plan(alive.points, asked.points, asked.seed)
    if asked.only:
        chosen = [tuple(int(number) for number in asked.only.split(","))]
    wrong = {"alive": alive.flaws} if alive.flaws else {}
    died = 0
    for deadly in chosen:
        told = stage.tell(*deadly)
        died += bool(told.deaths)
        if not told.flaws and told.summary != alive.summary:
            other = [name for name, value in alive.summary.items() if told.summary[name] != value]
            told.flaws += [f"{name}: {told.summary[name]}, not {alive.summary[name]}" for name in other]
        if told.flaws:
            where = alive.points[deadly[0] - 1]
            name = f"{asked.story} {asked.order} --only {','.join(str(number) for number in deadly)}"
            wrong[f"{name}  ({where})"] = told.flaws
        if len(wrong) == ENOUGH:
            break
    always = sum(is_always_played(point) for point in alive.points)
    report = {"points": len(alive.points), "always": always, "played": len(chosen), "died": died, "wrong": wrong}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
