"""When to look at jobs of one class, by the age at which one was last seen running: one look-up."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """`after[i]` is the age of the next look at a job last seen running at age `ages[i]`, in seconds.

    `ended[i]` is the share of jobs that end before `ages[i]`, and `unheard[i]` the share that ended before
    it and was not heard of by then. `floor` is the hint it was made for, `jobs` how many ended ones it rests
    on, `lost` how many webhooks it takes for lost (None: none are awaited), `rescues` the share of jobs that
    looks will find.
    """

    ages: tuple[float, ...]
    after: tuple[float, ...]
    ended: tuple[float, ...]
    unheard: tuple[float, ...]
    floor: float
    jobs: float
    lost: float | None
    requests: float
    lag: float
    rescues: float

    def next_age(self, seen_running_at: float) -> float:
        """The age to look at next, given the age at which the job was last seen running."""
        at = bisect_left(self.ages, seen_running_at)
        if at > 0 and (
            at == len(self.ages) or seen_running_at - self.ages[at - 1] < self.ages[at] - seen_running_at
        ):
            at -= 1
        return max(self.after[at], seen_running_at)

    def ended_by(self, age: float) -> float:
        """The share of jobs that end before an age: in a straight line between two of the table."""
        at = bisect_left(self.ages, age)
        if at == 0:
            return self.ended[0]
        if at == len(self.ages):
            return self.ended[-1]
        low, high = self.ages[at - 1], self.ages[at]
        return self.ended[at - 1] + (self.ended[at] - self.ended[at - 1]) * (age - low) / (high - low)
