"""A case in a process of its own: its answer, its end, and what it may use."""

from __future__ import annotations

import os
import resource
import signal

import pytest
from faults.forks import CaseFailed, at_once, forked, shared_out


def test_a_case_answers_and_changes_nothing_here() -> None:
    seen = [1]
    assert forked(lambda: seen.append(2) or seen) == [1, 2]
    assert seen == [1]


@pytest.mark.parametrize("ends", [signal.SIGXCPU, signal.SIGKILL])
def test_a_case_that_the_system_ended_is_told(ends: signal.Signals) -> None:
    with pytest.raises(CaseFailed, match="died or took too long"):
        forked(lambda: os.kill(os.getpid(), ends))


def test_a_case_that_raised_is_told_with_where() -> None:
    with pytest.raises(CaseFailed, match="ZeroDivisionError"):
        forked(lambda: 1 / 0)


def test_a_case_may_use_so_much_of_the_processor_counted_from_its_fork() -> None:
    def allowed() -> float:
        return resource.getrlimit(resource.RLIMIT_CPU)[0] - resource.getrusage(resource.RUSAGE_SELF).ru_utime

    inside = forked(lambda: (allowed(), forked(allowed, 20)), 10)
    assert [round(one) for one in inside] == [pytest.approx(11, abs=1), pytest.approx(21, abs=1)]
    assert resource.getrlimit(resource.RLIMIT_CPU)[0] == resource.RLIM_INFINITY


def test_cases_side_by_side_answer_in_order() -> None:
    assert at_once([lambda n=n: n * n for n in range(3)]) == [0, 1, 4]


def test_numbered_work_is_done_once_by_whoever_comes_first() -> None:
    found = shared_out(lambda shared: [number for number in range(50) if shared.take(number)], 2, 60)
    assert sorted(found) == list(range(50))
