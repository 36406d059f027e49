"""The pytest plugin: collects `*.scenarios.yaml`, each scenario an item, and says what they cover of the workflows.

pytest loads it in every session once the package is installed, so it imports what plays scenarios only where there is
a file of them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter
from _pytest.pathlib import bestrelpath

from holdpoint.sources import SCENARIOS

if TYPE_CHECKING:
    from holdpoint.scenarios.model import Played, Scenario, Suite
    from holdpoint.scenarios.run import Covered

_MAX_MISSING = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for coverage."""
    group = parser.getgroup("flow", "scenarios of Holdpoint workflows")
    group.addoption(
        "--flow-min-coverage",
        type=float,
        metavar="PERCENT",
        help="Fail where the scenarios that ran cover less of a workflow.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Gather in the process that reports."""
    if not hasattr(config, "workerinput"):  # which pytest-xdist gives to its workers
        config.pluginmanager.register(_Gathered(config), "holdpoint-coverage")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a scenario file."""
    return ScenarioFile.from_parent(parent, path=file_path) if file_path.name.endswith(SCENARIOS) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send what a scenario covered with its report, which also comes from other processes."""
    report = yield
    if isinstance(item, ScenarioItem) and report.when == "call" and item.played is not None:
        report.__dict__["flow_covered"] = (str(item.suite.workflow), [list(found) for found in item.played.covered])
    return report


class ScenarioFile(pytest.File):
    """A file of scenarios."""

    def collect(self) -> Iterable[ScenarioItem]:
        """The scenarios, in their order."""
        from holdpoint.engine.errors import DefinitionError, HoldpointError
        from holdpoint.scenarios.reading import load_suite

        try:
            suite = load_suite(self.path)
        except DefinitionError as error:
            raise self.CollectError("\n".join(str(finding) for finding in error.findings)) from None
        except HoldpointError as error:
            raise self.CollectError(str(error)) from None
        for scenario in suite.scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.name, suite=suite, scenario=scenario)


class ScenarioFailed(Exception):
    """A scenario was not as it says."""

    def __init__(self, played: Played) -> None:
        super().__init__(played.mismatches[0].message)
        self.played = played


class ScenarioItem(pytest.Item):
    """A scenario."""

    def __init__(self, *, suite: Suite, scenario: Scenario, **rest: Any) -> None:
        super().__init__(**rest)
        self.suite = suite
        self.scenario = scenario
        self.played: Played | None = None

    def runtest(self) -> None:
        """Play it. Raises `ScenarioFailed`."""
        from holdpoint.scenarios.play import play
        from holdpoint.scenarios.run import loader

        self.played = play(self.suite, self.scenario, loader(self.suite))
        if not self.played.passed:
            raise ScenarioFailed(self.played)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:
        """What was not as the scenario says, by file and line, and the way that the run went."""
        from holdpoint.engine.errors import HoldpointError

        if isinstance(excinfo.value, ScenarioFailed):
            return _Told(self._file, excinfo.value.played)
        if isinstance(excinfo.value, HoldpointError):
            return f"{self._file}:{self.scenario.line}: {excinfo.value} ({excinfo.value.code})"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands: the line counts from 0."""
        return self.path, self.scenario.line - 1, self.name

    @property
    def _file(self) -> str:
        return bestrelpath(self.config.invocation_params.dir, self.path)


class _Told(TerminalRepr):
    """A failure as pytest prints it: whole, and (of `reprcrash`) in a line of the summary."""

    def __init__(self, file: str, played: Played) -> None:
        first = played.mismatches[0]
        self.reprcrash = ReprFileLocation(file, first.line, first.message)
        self._text = played.told(file)

    def toterminal(self, tw: TerminalWriter) -> None:
        """Print it."""
        tw.line(self._text, red=True)


class _Gathered:
    """What scenarios covered, by workflow, as their reports come in."""

    def __init__(self, config: pytest.Config) -> None:
        self._asked: float | None = config.getoption("--flow-min-coverage")
        self._folder = config.invocation_params.dir
        self._seen: dict[str, list[frozenset[tuple[str, ...]]]] = {}
        self._covered: list[Covered] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a scenario covered."""
        found = getattr(report, "flow_covered", None)
        if found is not None:
            workflow, items = found
            self._seen.setdefault(workflow, []).append(frozenset(tuple(item) for item in items))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the session where too little is covered."""
        if self._seen:
            from holdpoint.scenarios.run import covered_workflow

            for workflow, found in self._seen.items():
                self._covered.append(covered_workflow(Path(bestrelpath(self._folder, Path(workflow).resolve())), found))
        if self._short() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what is covered, and what is not."""
        if not self._covered:
            return
        terminalreporter.section("coverage of workflows")
        for one in self._covered:
            parts = ", ".join(f"{word} {done}/{of}" for word, (done, of) in one.coverage.said.items() if of)
            terminalreporter.line(f"{one.workflow}: {one.coverage.percent:.0f} %: {parts}")
            for line, text in one.missing[:_MAX_MISSING]:
                terminalreporter.line(f"  not covered {one.workflow}:{line}: {text}", yellow=True)
            if len(one.missing) > _MAX_MISSING:
                terminalreporter.line(f"  and {len(one.missing) - _MAX_MISSING} more; flow test --json lists all")
        for one in self._short():
            asked = f"{self._asked:g} % are asked for"
            terminalreporter.line(f"{one.workflow}: {one.coverage.percent:.1f} % are covered, and {asked}", red=True)

    def _short(self) -> list[Covered]:
        return [one for one in self._covered if self._asked is not None and one.coverage.percent < self._asked]
