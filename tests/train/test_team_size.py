"""The choice of workers, played with made-up times: a machine is a function from (workers, time) to seconds a batch."""

import pytest

from hotloop import _core

SLICE = 0.05


def play(machine, *, most=2, work=1e-3, until=10.0, team=None, start=0.0):
    """Run batches from `start` to `until`; returns the team and a list of (time, workers, trial, seconds)."""
    team = team or _core.TeamSize()
    time, slices = start, []
    while time < until:
        workers, trial = team.choose(work, most, time)
        batch = machine(workers, time)
        batches = max(1, int((1e-3 if trial else SLICE) / batch))
        time += batch * batches
        slices.append((time, workers, trial, batch * batches))
        team.record(workers, trial, batch * batches, batches, time)
    return team, slices


def share(slices, workers, begin=0.0):
    """Share of the time since `begin` that was spent on so many workers."""
    spent = [(w == workers) * s for t, w, _, s in slices if t > begin]
    return sum(spent) / sum(s for t, *_, s in slices if t > begin)


@pytest.mark.parametrize("batch", [1e-4, 5e-3, 0.08])
def test_the_faster_size_is_found_and_kept(batch):
    for fast in (1, 2):
        _, slices = play(lambda w, t, fast=fast: batch * (1 if w == fast else 1.7), until=200 * max(batch, 0.02))
        assert share(slices, fast) > 0.9, fast


@pytest.mark.parametrize("batch", [1e-4, 0.08])
def test_trials_cost_little_of_the_time(batch):
    _, slices = play(lambda w, t: batch * (2 if w == 1 else 1), until=60.0)
    lost = sum(s / 2 for _, w, _, s in slices if w == 1)
    assert 0 < lost < 0.02 * 60


def test_it_leaves_a_busy_machine_and_comes_back():
    def machine(workers, time):
        return 1e-3 if workers == 1 else 8e-3 if 5 < time < 20 else 0.55e-3

    _, slices = play(machine, until=40.0)
    assert share([s for s in slices if s[0] <= 5], 2) > 0.9
    assert share([s for s in slices if s[0] <= 20], 1, begin=5.5) > 0.9
    assert share(slices, 2, begin=21.5) > 0.9


def test_it_climbs_to_many_workers():
    _, slices = play(lambda w, t: 1e-3 / min(w, 12), most=16, work=2e-5)
    assert share(slices, 16, begin=1) + share(slices, 8, begin=1) > 0.95


def test_work_for_one_worker_is_never_shared():
    _, slices = play(lambda w, t: 1e-6, work=1e-6, until=0.5)
    assert share(slices, 1) == 1


def test_a_worker_that_goes_away_is_not_asked_for():
    team, _ = play(lambda w, t: 1e-3 / w, most=4, until=5.0)
    _, slices = play(lambda w, t: 1e-3 / w, most=2, until=7.0, team=team, start=5.0)
    assert {w for _, w, _, _ in slices} <= {1, 2}
