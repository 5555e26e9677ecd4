"""The words in which every outcome speaks of filters and decisions: JSON members and short lines of text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tamiz.model.decisions import Action, Decision, Right
from tamiz.model.objects import Filter

Json = dict[str, Any]


def filter_object(filter: Filter | None) -> Json | None:
    """A filter as every JSON answer names it: `id`, `key`, `name`, `sublayer`."""
    if filter is None:
        return None
    return {"id": filter.id, "key": str(filter.key), "name": filter.name, "sublayer": str(filter.sublayer)}


def right_word(right: Right | None) -> str | None:
    return None if right is None else right.value


Label = Callable[[str], str]


def decider(decision: Decision, label: Label = str) -> str:
    """Who decided, in a few words; `label` gives the display name of a key."""
    if decision.action is Action.DEPENDS:
        return f"depends on {listed(decision.depends_on, label=label)}"
    if decision.filter is not None:
        where = short(label(decision.filter.sublayer))
        return f"{decision.filter.name!r} (filter {decision.filter.id}) in {where}"
    filters = list({id(p.filter): p.filter for p in decision.possible if p.filter}.values())
    if not filters:
        return "no filter decided"
    none = " or none" if any(p.filter is None for p in decision.possible) else ""
    if len(filters) == 1:
        return f"{filters[0].name!r} (filter {filters[0].id}){none}: the same action"
    return f"one of {len(filters)} filters{none}, all of the same action"


def listed(names: tuple[str, ...], limit: int = 4, label: Label = str) -> str:
    """Names for people: at most `limit`, then how many more."""
    shown = [short(named(name, label)) for name in names[:limit]]
    more = len(names) - limit
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def named(text: str, label: Label) -> str:
    """A thing that a decision depends on, with the display name of a key that stands at its end."""
    before, space, key = text.rpartition(" ")
    return f"{before}{space}{label(key)}"


def short(name: str) -> str:
    """A name without its FWPM_ prefix."""
    for prefix in ("FWPM_LAYER_", "FWPM_CONDITION_", "FWPM_SUBLAYER_", "FWPM_CALLOUT_"):
        name = name.replace(prefix, "")
    return name


Line = tuple[str, str, int]  # style, text, where its later lines begin if it is folded


def fold(lines: Iterable[Line], width: int) -> Iterator[tuple[str, str]]:
    """The lines, each in parts of at most `width` characters, as (style, text) pairs."""
    for style, text, hang in lines:
        for part in folded(text, width, hang):
            yield style, part


def folded(text: str, width: int, hang: int = 0) -> list[str]:
    """`text` in lines of at most `width` characters, broken between words; the later ones begin with `hang` spaces.

    If `hang` leaves less than a third of the width, they are indented by a little more than the first line.
    """
    if len(text) <= width:
        return [text]
    if 3 * hang > 2 * width:
        hang = min(len(text) - len(text.lstrip()) + 4, width // 2)
    return textwrap.wrap(text, width, subsequent_indent=" " * hang, break_on_hyphens=False)


def flags(decision: Decision) -> Iterator[str]:
    """What is special about a decision."""
    if decision.vetoed:
        yield "a veto"
    if decision.absorbed:
        yield "absorbed: no discard layer, no event"
    if decision.tie:
        yield "filters of equal weight and different actions match; the newest was taken first"
