"""How work is shared out, and a team that outlives the failures of its jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gencli.kernels.threads import Team, bounds

SIZES = pytest.mark.parametrize("size", [1, 2, 5])


@pytest.fixture
def team_of() -> Iterator[Callable[[int], Team]]:
    """Makes teams, and closes those that the test has left open."""
    teams: list[Team] = []

    def make(size: int) -> Team:
        teams.append(Team(size))
        return teams[-1]

    yield make
    for team in teams:
        team.close()


def shares_of(team: Team) -> list[tuple[int, int]]:
    """What one run calls its job with, in order of the shares."""
    calls: list[tuple[int, int]] = []
    team.run(lambda share, shares: calls.append((share, shares)))
    return sorted(calls)


def expect_sound(team: Team) -> None:
    """Assert that several runs call every share exactly once."""
    for _ in range(3):
        assert shares_of(team) == [(share, team.size) for share in range(team.size)]


@given(st.integers(0, 10**6), st.integers(1, 300))
def test_bounds_are_a_partition_into_nearly_equal_parts(count: int, shares: int) -> None:
    parts = [bounds(count, share, shares) for share in range(shares)]
    ends = [0, *(last for _, last in parts)]
    assert [first for first, _ in parts] == ends[:-1]
    assert ends[-1] == count
    sizes = [last - first for first, last in parts]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 0


@SIZES
def test_every_share_runs_once_on_a_thread_of_its_own(team_of: Callable[[int], Team], size: int) -> None:
    team, together, places = team_of(size), threading.Barrier(size, timeout=60), {}

    def job(share: int, shares: int) -> None:
        together.wait()  # passes only when all shares are under way at the same time
        places[share] = threading.current_thread()

    team.run(job)
    assert places[0] is threading.main_thread()
    assert len(set(places.values())) == size
    expect_sound(team)


def test_run_waits_for_the_slowest_share(team_of: Callable[[int], Team]) -> None:
    team, caller_is_done, ended = team_of(2), threading.Event(), []

    def job(share: int, shares: int) -> None:
        if share == 0:
            caller_is_done.set()
        else:
            assert caller_is_done.wait(60)
            ended.append(sum(range(100_000)))

    team.run(job)
    assert len(ended) == 1


@SIZES
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failing_share_is_heard_and_the_team_goes_on(
    team_of: Callable[[int], Team], size: int, error: type[BaseException]
) -> None:
    team = team_of(size)
    for failing in range(size):
        ended = []

        def job(share: int, shares: int, failing: int = failing, ended: list[int] = ended) -> None:
            if share == failing:
                raise error(f"share {share}")
            ended.append(share)

        with pytest.raises(error, match=f"share {failing}"):
            team.run(job)
        assert sorted(ended) == [share for share in range(size) if share != failing]
        expect_sound(team)


def test_all_shares_may_fail(team_of: Callable[[int], Team]) -> None:
    team = team_of(3)

    def job(share: int, shares: int) -> None:
        raise ValueError(f"share {share}")

    with pytest.raises(ValueError, match="share"):
        team.run(job)
    expect_sound(team)


def test_the_lowest_share_s_failure_is_the_one_raised(team_of: Callable[[int], Team]) -> None:
    team, first_has_failed = team_of(2), threading.Event()

    def job(share: int, shares: int) -> None:
        if share == 0:
            first_has_failed.set()
        else:
            assert first_has_failed.wait(60)
        raise ValueError(f"share {share}")

    with pytest.raises(ValueError, match="share 0"):
        team.run(job)


@SIZES
def test_close_ends_the_threads(size: int) -> None:
    before = set(threading.enumerate())
    team = Team(size)
    started = set(threading.enumerate()) - before
    assert len(started) == size - 1
    expect_sound(team)
    team.close()
    assert not any(thread.is_alive() for thread in started)
    team.close()  # once more does no harm
