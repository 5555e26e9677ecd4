"""The steps of a walk: for each sublayer the filter that ended it, what that did, and the near misses.

Source: design.md 2.4 and 5 ("Explain"). Nothing is judged again here but the filters that did not match.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from tamiz.engine.program import Candidate, Judged, SublayerProgram
from tamiz.engine.walk import Pass
from tamiz.engine.worlds import WorldSet
from tamiz.model.decisions import Ended, NearMiss, SublayerStep
from tamiz.model.facts import UNKNOWN

NEAR_MISSES: Final = 5


def pass_steps(passes: Sequence[Pass], judged: Judged, start: WorldSet) -> Iterator[SublayerStep]:
    """One step per sublayer, in the order of the walk."""
    for step in passes:
        sublayer = step.sublayer
        yield SublayerStep(
            sublayer.key,
            sublayer.weight,
            tuple(_ended(step, start)),
            tuple(step.called),
            tuple(islice(_near_misses(sublayer, judged), NEAR_MISSES)),
        )


def _ended(step: Pass, start: WorldSet) -> Iterator[Ended]:
    for end in step.ends:
        filter = end.candidate.filter
        yield Ended(
            filter,
            certain=end.worlds == start,
            action=end.incoming.action,
            right=end.incoming.right,
            effect=end.effect,
            callout=filter.callout,
        )


def _near_misses(sublayer: SublayerProgram, judged: Judged) -> Iterator[NearMiss]:
    """Filters of the sublayer that fail in exactly one field, heaviest first."""
    for candidate in sublayer.candidates:
        if judged.matches(candidate) is False:
            yield from _near_miss(candidate, judged)


def _near_miss(candidate: Candidate, judged: Judged) -> Iterator[NearMiss]:
    failed = [group for group in candidate.groups if judged.group(group) is False]
    if len(failed) == 1:
        (group,) = failed
        found = judged.facts.get(group.field.key, UNKNOWN)
        yield NearMiss(candidate.filter, group.conditions, found)
