"""Time: deadlines where the clocks of a zone change, and an engine whose own clock is set."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import apscheduler.schedulers.base
import pytest

from holdpoint import Engine, NotAllowed
from holdpoint.engine.times import parse_time
from holdpoint.scheduler import alarm
from holdpoint.scheduler.serve import Server
from tests.building import World, drafted, gate, review, utc, value, worker, workflow

SWEEP = timedelta(milliseconds=50)
# A ring that does not come would not come for hours: this is for a busy machine.
PATIENCE = 20.0
JUMPS = {
    "back-60s": timedelta(seconds=-60),
    "back-1h": timedelta(hours=-1),
    "back-1d": timedelta(days=-1),
    "forward-1h": timedelta(hours=1),
    "forward-1y": timedelta(days=365),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An engine on a temporary file. Whatever a test does, `verify` is silent at its end."""
    with World(tmp_path) as world:
        yield world


# --- zones ------------------------------------------------------------------------------------------------------------

# Each row: opened at, timeout, due at; all in UTC, worked out by hand from the local times that the comment names.
ROME = [
    # CET is +1. On 29 March 2026 02:00 CET became 03:00 CEST (+2), at 01:00 UTC.
    ("2026-03-28T12:00", "1d", "2026-03-29T11:00", "13:00-cet-to-13:00-cest"),
    ("2026-03-28T12:00", "24h", "2026-03-29T12:00", "24h-are-elapsed"),
    ("2026-03-28T12:00", "2d", "2026-03-30T11:00", "two-days-over-the-change"),
    ("2026-03-28T12:00", "60d", "2026-05-27T11:00", "60d-end-at-13:00-cest"),
    ("2026-03-28T12:00", "PT1440H", "2026-05-27T12:00", "1440h-end-at-14:00-cest"),
    ("2026-03-28T12:00", "1d12h", "2026-03-29T23:00", "the-day-first-then-the-hours"),
    ("2026-03-28T01:30", "1d", "2026-03-29T01:30", "gap-02:30-becomes-03:30-cest"),
    ("2026-03-28T01:00", "1d", "2026-03-29T01:00", "gap-its-first-minute-becomes-03:00-cest"),
    ("2026-03-28T00:59", "1d", "2026-03-29T00:59", "the-last-minute-before-the-gap"),
    ("2026-03-28T01:30", "1d1h", "2026-03-29T02:30", "gap-then-one-hour-more"),
    # On 25 October 2026 03:00 CEST became 02:00 CET, at 01:00 UTC.
    ("2026-10-24T00:30", "1d", "2026-10-25T00:30", "fold-the-earlier-02:30"),
    ("2026-10-24T00:30", "24h", "2026-10-25T00:30", "fold-24h-are-elapsed"),
    ("2026-10-24T01:00", "1d", "2026-10-25T02:00", "03:00-cest-to-03:00-cet-behind-the-fold"),
    ("2026-10-25T01:30", "1d", "2026-10-26T01:30", "opened-in-the-later-02:30"),
    ("2026-10-24T12:00", "2d", "2026-10-26T13:00", "14:00-cest-to-14:00-cet"),
    ("2026-10-24T12:00", "48h", "2026-10-26T12:00", "48h-over-the-fold"),
    ("2028-02-28T11:00", "2d", "2028-03-01T11:00", "over-a-leap-day"),
    ("2027-02-28T11:00", "1w", "2027-03-07T11:00", "over-no-leap-day"),
]
SAO_PAULO = [
    # On 4 November 2018 00:00 (-3) became 01:00 (-2), at 03:00 UTC: a midnight that was not.
    ("2018-11-03T15:00", "1d", "2018-11-04T14:00", "12:00-to-12:00-into-summer"),
    ("2018-11-03T15:00", "PT24H", "2018-11-04T15:00", "24h-into-summer"),
    ("2018-11-03T03:00", "1d", "2018-11-04T03:00", "gap-midnight-becomes-01:00"),
    ("2018-11-03T03:30", "1d", "2018-11-04T03:30", "gap-00:30-becomes-01:30"),
    ("2018-10-01T15:00", "60d", "2018-11-30T14:00", "60d-into-summer"),
    ("2018-10-01T15:00", "PT1440H", "2018-11-30T15:00", "1440h-into-summer"),
    # On 16 February 2019 24:00 (-2) became 23:00 (-3), at 02:00 UTC on the 17th: the 16th had 25 hours.
    ("2019-02-16T01:30", "1d", "2019-02-17T01:30", "fold-the-earlier-23:30-of-the-16th"),
    ("2019-02-16T14:00", "2d", "2019-02-18T15:00", "12:00-to-12:00-out-of-summer"),
    ("2019-02-16T02:00", "1d", "2019-02-17T03:00", "midnight-to-midnight-of-25-hours"),
    # Since then there has been no summer time: always -3.
    ("2026-10-31T15:00", "2d", "2026-11-02T15:00", "no-summer-since-2019"),
]
LORD_HOWE = [
    # Summer is half an hour. On 4 October 2026 02:00 (+10:30) became 02:30 (+11), at 15:30 UTC on the 3rd.
    ("2026-10-02T22:30", "1d", "2026-10-03T22:00", "09:00-to-09:00-into-summer"),
    ("2026-10-02T22:30", "24h", "2026-10-03T22:30", "24h-into-summer"),
    ("2026-10-02T15:45", "1d", "2026-10-03T15:45", "gap-02:15-becomes-02:45"),
    ("2026-10-02T22:30", "60d", "2026-12-01T22:00", "60d-into-summer"),
    ("2026-10-02T22:30", "PT1440H", "2026-12-01T22:30", "1440h-into-summer"),
    # On 5 April 2026 02:00 (+11) became 01:30 (+10:30), at 15:00 UTC on the 4th.
    ("2026-04-03T14:45", "1d", "2026-04-04T14:45", "fold-the-earlier-01:45"),
    ("2026-04-03T15:00", "1d", "2026-04-04T15:30", "02:00-to-02:00-behind-the-fold"),
    ("2026-04-03T22:00", "2d", "2026-04-05T22:30", "09:00-to-09:00-out-of-summer"),
]
APIA = [
    # 29 December 2011 24:00 (-10) became 31 December 00:00 (+14), at 10:00 UTC on the 30th: no 30 December.
    ("2011-12-29T20:00", "1d", "2011-12-30T20:00", "10:00-of-the-day-that-was-not-becomes-the-31sts"),
    ("2011-12-29T20:00", "2d", "2011-12-30T20:00", "10:00-of-the-31st-is-the-same-moment"),
    ("2011-12-29T20:00", "3d", "2011-12-31T20:00", "10:00-of-new-years-day"),
    ("2011-12-29T20:00", "48h", "2011-12-31T20:00", "48h-over-the-date-line"),
    ("2011-12-01T20:00", "60d", "2012-01-29T20:00", "60d-of-the-calendar-are-59-of-time"),
    ("2011-12-01T20:00", "PT1440H", "2012-01-30T20:00", "1440h-are-60-days-of-time"),
    # On 27 September 2020 03:00 (+13) became 04:00 (+14), at 14:00 UTC on the 26th.
    ("2020-09-25T14:30", "1d", "2020-09-26T14:30", "gap-03:30-becomes-04:30"),
    # On 4 April 2021 04:00 (+14) became 03:00 (+13), at 14:00 UTC on the 3rd; there has been no summer time since.
    ("2021-04-02T13:30", "1d", "2021-04-03T13:30", "fold-the-earlier-03:30"),
    ("2021-04-02T22:00", "2d", "2021-04-04T23:00", "12:00-to-12:00-out-of-summer"),
    ("2026-04-03T22:00", "2d", "2026-04-05T22:00", "no-summer-since-2021"),
]
ZONES = {
    "Europe/Rome": ROME,
    "America/Sao_Paulo": SAO_PAULO,
    "Australia/Lord_Howe": LORD_HOWE,
    "Pacific/Apia": APIA,
}
TABLE = [
    pytest.param(zone, opened, timeout, due, id=f"{zone.rpartition('/')[2]}-{name}")
    for zone, rows in ZONES.items()
    for opened, timeout, due, name in rows
]


@pytest.mark.parametrize(("zone", "opened", "timeout", "due"), TABLE)
def test_a_request_falls_due_where_its_zones_clocks_say(
    world: World, zone: str, opened: str, timeout: str, due: str
) -> None:
    world.clock.set(utc(opened))
    run = world.start({"ask": gate(timeout=timeout, default="reject")}, timezone=zone)

    assert run.requests[0].due_at == utc(due)

    world.clock.set(utc(due) - timedelta(microseconds=1))
    assert not any(world.engine.tick().values())
    assert world.engine.get_run(run.id).requests[0].status == "open"
    world.clock.set(utc(due))
    assert world.engine.tick()["defaults"] == 1
    (expired,) = world.entries(run, "request.expired")
    assert parse_time(expired["data"]["at"]) == utc(due)


@pytest.mark.parametrize(("zone", "opened", "timeout", "due"), TABLE)
def test_a_wait_ends_where_its_zones_clocks_say(world: World, zone: str, opened: str, timeout: str, due: str) -> None:
    world.clock.set(utc(opened))

    run = world.start({"nap": {"type": "wait", "for": timeout, "next": "accepted"}}, timezone=zone)

    assert world.engine.next_due() == utc(due)
    world.clock.set(utc(due) - timedelta(microseconds=1))
    assert world.engine.advance(run.id).state == "nap"
    world.clock.set(utc(due))
    assert world.engine.advance(run.id).state == "accepted"


@pytest.mark.parametrize(
    ("more", "due"),
    [
        pytest.param("1d", "2026-03-29T11:00", id="13:00-cet-to-13:00-cest"),
        pytest.param("24h", "2026-03-29T12:00", id="24h-are-elapsed"),
    ],
)
def test_an_extension_is_counted_in_the_workflows_zone(world: World, more: str, due: str) -> None:
    world.clock.set(utc("2026-03-27T12:00"))
    run = world.start({"ask": gate(timeout="1d", default="reject")}, timezone="Europe/Rome")

    assert world.engine.extend(run.requests[0].id, more).due_at == utc(due)


# --- a clock that is set ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS.keys())
def test_no_default_is_applied_before_its_time_and_the_pass_goes_on(world: World, jump: timedelta) -> None:
    run = world.start({"ask": gate(timeout="2h", default="reject")})
    due_at = run.requests[0].due_at
    assert due_at is not None
    world.pass_time("30m")
    world.clock.set(world.clock() + jump)
    is_due = world.clock() >= due_at

    assert world.engine.tick()["defaults"] == is_due
    assert (world.engine.get_run(run.id).status == "done") == is_due

    # Runs that start now are not held up, and the first one comes when the clock gets there.
    another = world.start({"ask": gate(timeout="1h", default="reject")})
    assert world.pass_time("59m59s")["defaults"] == 0 or world.clock() >= due_at
    assert world.pass_time("1s")["defaults"] == 1
    assert world.engine.get_run(another.id).state == "refused"
    world.clock.set(max(world.clock(), due_at))
    world.engine.tick()
    assert world.engine.get_run(run.id).state == "refused"


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS.keys())
def test_the_times_of_a_runs_entries_never_decrease(world: World, jump: timedelta) -> None:
    states = {"draft": value("t", "review", artifact="report"), "review": review(timeout="2d", default="accept")}
    run = world.start({**drafted(), **states})
    for direction in (1, -1, 1, -1):
        world.decide(run, "revise", comment="more")
        world.clock.set(world.clock() + direction * jump)
        request = world.engine.get_run(run.id).requests
        if request:
            world.engine.claim(request[0].id, by="ann")
        world.engine.tick()
        if world.engine.get_run(run.id).state != "review":
            break

    times = [entry.at for entry in world.engine.history(run.id)]
    assert times == sorted(times)
    assert len(times) > 8


def test_a_clock_set_back_leaves_what_a_clock_ahead_has_done(world: World) -> None:
    states = {
        "ask": {**gate(timeout="1d", default="reject"), "on": {"approve": "accepted", "reject": "again"}},
        "again": gate(timeout="1d", default="reject"),
    }
    run = world.start(states)
    start = world.clock()
    world.clock.set(start + timedelta(days=365))
    world.engine.tick()
    world.clock.set(start)

    (request,) = world.engine.get_run(run.id).requests
    (expired,) = world.entries(run, "request.expired")

    # The default is of its due time; what nobody could see before it was written begins then.
    assert parse_time(expired["data"]["at"]) == start + timedelta(days=1)
    assert (request.state, request.due_at) == ("again", start + timedelta(days=366))
    assert world.pass_time("300d")["defaults"] == 0
    assert world.decide(run, "approve").state == "accepted"


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS.keys())
def test_a_retry_is_not_made_before_its_time(world: World, jump: timedelta) -> None:
    def fail() -> None:
        raise ValueError

    world.agent = fail
    agent = {"type": "agent", "python": "agents:work", "retry": {"attempts": 2, "delay": "1h"}, "next": "accepted"}
    run = world.start({"work": agent})
    due_at = world.engine.next_due()
    assert due_at is not None

    world.clock.set(world.clock() + jump)
    is_due = world.clock() >= due_at
    assert world.engine.tick()["retries"] == is_due
    assert len(world.calls) == 1 + is_due

    world.clock.set(max(world.clock(), due_at))
    world.engine.tick()
    assert len(world.calls) == 2
    assert world.engine.get_run(run.id).status == "failed"


def test_what_fell_due_before_a_late_report_is_applied_before_it(world: World) -> None:
    """Else a clock that is set back would keep the pass from what the run's own time says is due."""

    def late() -> str:
        world.clock.set(world.clock() + timedelta(minutes=1))
        world.engine.tick()  # the lease has run out, and somebody is asked
        world.clock.set(world.clock() + timedelta(hours=2))
        return "late"

    world.agent = late
    run = world.start({"work": worker(after_crash={"ask": {"timeout": "1h", "default": "fail"}})})
    world.clock.set(world.clock() - timedelta(hours=2))

    assert world.kinds(run)[-4:] == ["request.expired", "agent.failed", "run.failed", "agent.late"]
    assert world.engine.get_run(run.id).status == "failed"


def test_what_fell_due_before_a_refusal_is_noted_is_applied_before_it(tmp_path: Path) -> None:
    def roles(person: str) -> list[str]:
        ours.clock.set(utc("2026-01-05T11:00"))  # the deadline comes while it is asked who may decide
        return []

    with World(tmp_path, people=roles) as ours:
        run = ours.start({"ask": gate(assign=["role:manager"], timeout="1h", default="reject")})

        with pytest.raises(NotAllowed):
            ours.decide(run, "approve", by="zoe")
        ours.clock.set(utc("2026-01-05T09:30"))

        kinds = ours.kinds(run)
        assert kinds.index("request.expired") < kinds.index("decision.refused")
        assert ours.engine.get_run(run.id).state == "refused"


def test_a_retry_that_is_overdue_by_its_runs_time_is_made_though_the_clock_is_set_back(world: World) -> None:
    def fail() -> None:
        raise ValueError

    world.agent = fail
    states = {
        "work": worker("hold", retry={"attempts": 2, "delay": "1h"}),
        "hold": {"type": "wait", "signal": "paid", "timeout": "never", "on": {"received": "accepted"}},
    }
    run = world.start(states)
    world.clock.set(world.clock() + timedelta(hours=2))
    world.engine.signal(run.id, "paid", advance=False)
    world.clock.set(world.clock() - timedelta(hours=2))

    assert world.engine.get_run(run.id).status == "running"
    assert world.engine.tick()["advanced"] == 1
    assert len(world.calls) == 2


# --- the alarm --------------------------------------------------------------------------------------------------------


class Wall:
    """The system's clock, as the alarm and APScheduler see it, which the test can set."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    wall = Wall()

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return wall().astimezone(tz)  # type: ignore[return-value]

    monkeypatch.setattr(alarm, "system_clock", wall)
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Datetime)
    return wall


class Bell:
    """What an alarm calls: it counts, and tells when it will be due next."""

    def __init__(self, due_at: Callable[[], datetime | None] = lambda: None) -> None:
        self._due_at = due_at
        self._rings = threading.Semaphore(0)

    def __call__(self) -> datetime | None:
        self._rings.release()
        return self._due_at()

    def rings(self, times: int = 1, within: float = PATIENCE) -> bool:
        """Whether it rings so many times from now on."""
        while self._rings.acquire(blocking=False):
            pass
        return all(self._rings.acquire(timeout=within) for _ in range(times))


@pytest.fixture
def ringing() -> Iterator[Callable[[Bell, timedelta], alarm.Alarm]]:
    """Starts an alarm, which is stopped at the end."""
    alarms: list[alarm.Alarm] = []

    def start(bell: Bell, sweep: timedelta) -> alarm.Alarm:
        alarms.append(alarm.Alarm(bell, sweep))
        alarms[-1].start()
        return alarms[-1]

    yield start
    for item in alarms:
        item.stop()


Start = Callable[[Bell, timedelta], alarm.Alarm]


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS.keys())
def test_the_alarm_rings_on_when_the_clock_is_set(wall: Wall, ringing: Start, jump: timedelta) -> None:
    bell = Bell()
    ringing(bell, SWEEP)
    assert bell.rings(2)

    for offset in (jump, timedelta(), jump):
        wall.offset = offset

        assert bell.rings(3)


def test_a_clock_set_back_before_the_alarm_starts_does_not_keep_it_from_ringing(wall: Wall) -> None:
    bell = Bell()
    waiting = alarm.Alarm(bell, SWEEP)
    wall.offset = timedelta(days=-1)
    waiting.start()
    try:
        assert bell.rings(3, within=1.0)
    finally:
        waiting.stop()


@pytest.mark.parametrize("jump", [jump for jump in JUMPS.values() if jump < timedelta()], ids=lambda jump: str(jump))
def test_a_due_time_that_was_armed_rings_at_its_new_distance(wall: Wall, ringing: Start, jump: timedelta) -> None:
    """The sweep asks anew: a clock set back does not leave the alarm armed for another time."""
    times: list[datetime] = []
    due_at = wall() + timedelta(seconds=30)

    def ask() -> datetime:
        times.append(wall())
        return due_at

    bell = Bell(ask)
    ringing(bell, SWEEP)
    assert bell.rings(1)

    wall.offset = jump
    assert bell.rings(3)
    wall.offset = jump + (due_at - wall())
    assert bell.rings(3)

    assert times[-1] >= due_at


def test_an_alarm_rings_at_once_and_at_the_due_time_between_sweeps(ringing: Start) -> None:
    dues = iter([datetime.now(UTC) + timedelta(milliseconds=100)])
    bell = Bell(lambda: next(dues, None))

    ringing(bell, timedelta(hours=1))

    assert bell.rings(1)


def test_an_alarm_stops_while_a_call_is_under_way_and_calls_no_more(ringing: Start) -> None:
    is_inside, may_end = threading.Event(), threading.Event()
    calls: list[int] = []

    def wake() -> datetime:
        calls.append(1)
        is_inside.set()
        may_end.wait(PATIENCE)
        return datetime.now(UTC)

    bell = alarm.Alarm(wake, SWEEP)
    bell.start()
    assert is_inside.wait(PATIENCE)
    stopping = threading.Thread(target=bell.stop, daemon=True)
    stopping.start()
    stopping.join(0.05)
    assert stopping.is_alive()

    may_end.set()
    stopping.join(PATIENCE)

    assert not stopping.is_alive()
    assert len(calls) == 1


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS.keys())
def test_a_server_goes_on_when_the_clock_is_set(wall: Wall, tmp_path: Path, jump: timedelta) -> None:
    with Engine("memory://", clock=wall, project=tmp_path) as engine, ExitStack() as stack:
        run = engine.start(engine.loads(workflow({"ask": gate(timeout="30m", default="reject")})))
        server = Server(engine._loop, sweep=SWEEP, health=tmp_path / "health")
        thread = threading.Thread(target=server.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.stop)
        assert _is_true_soon((tmp_path / "health").exists)

        wall.offset = jump
        soon = engine.start(engine.loads(workflow({"ask": gate(timeout="1s", default="reject")})))
        assert _is_settled(engine, soon.id, PATIENCE)
        assert _is_settled(engine, run.id, PATIENCE if jump > timedelta() else 0) == (jump > timedelta())

        wall.offset = timedelta(hours=1)
        assert _is_settled(engine, run.id, PATIENCE)

        for item in (run, soon):
            assert item.requests[0].due_at is not None
            (settled,) = (entry for entry in engine.history(item.id) if entry.kind == "request.expired")
            assert settled.at >= item.requests[0].due_at
        assert engine.verify() == ()


def _is_settled(engine: Engine, run_id: str, within: float) -> bool:
    return _is_true_soon(lambda: "request.expired" in [entry.kind for entry in engine.history(run_id)], within)


def _is_true_soon(question: Callable[[], bool], within: float = PATIENCE) -> bool:
    until = time.monotonic() + within
    while not question():
        if time.monotonic() >= until:
            return False
        threading.Event().wait(0.02)
    return True


# --- two servers, and passes besides ----------------------------------------------------------------------------------

DEADLINES = 500


def test_two_servers_and_passes_at_once_settle_each_deadline_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'flow.db'}?synchronous=normal"
    program = [sys.executable, "-m", "holdpoint.cli", "serve", "--no-web", "--sweep", "1s", "--json", "--db", url]
    with Engine(url, project=tmp_path) as engine, ExitStack() as stack:
        definitions = [
            engine.loads(workflow({"ask": gate(timeout=f"{seconds}s", default="reject")}, workflow=f"w{seconds}"))
            for seconds in (1, 2, 3)
        ]
        runs = [engine.start(definitions[number % 3]) for number in range(DEADLINES)]
        health = [tmp_path / name for name in ("one", "two")]
        servers = [_served(stack, [*program, "--health", str(file)], tmp_path) for file in health]
        until, defaults = time.monotonic() + PATIENCE, 0
        while engine.runs(status=["waiting", "running"], limit=1).items or not all(file.exists() for file in health):
            assert time.monotonic() < until
            defaults += engine.tick(limit=20)["defaults"]
            threading.Event().wait(0.1)
        for server in servers:
            server.terminate()
            printed, errors = server.communicate(timeout=PATIENCE)
            assert (server.returncode, b"Traceback" in errors) == (0, False)
            defaults += json.loads(printed)["defaults"]

        settled = {run.id: [entry for entry in engine.history(run.id) if "request.e" in entry.kind] for run in runs}
        assert [len(entries) for entries in settled.values()] == [1] * DEADLINES
        assert defaults == DEADLINES
        for run in runs:
            due_at = run.requests[0].due_at
            assert due_at is not None
            assert settled[run.id][0].at >= due_at
        assert {engine.get_run(run.id).state for run in runs} == {"refused"}
        assert engine.verify() == ()


def _served(stack: ExitStack, program: list[str], folder: Path) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stack.enter_context(server)
    stack.callback(server.kill)
    return server
