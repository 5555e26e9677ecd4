"""Several policies as one: equal objects, conflicts, ids of two machines, sublayers that ask for one weight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tamiz.formats.complete import complete
from tamiz.formats.merge import Weights, merge
from tamiz.model import catalog
from tamiz.model._tables import LAYER, CalloutFlags
from tamiz.model.errors import InputError, Place
from tamiz.model.keys import CalloutKey, ContextKey, FilterKey, LayerKey, ProviderKey, SublayerKey
from tamiz.model.objects import ActionType, Callout, Filter, Node, Provider, ProviderContext, Sublayer
from tamiz.model.policy import Policy
from tamiz.model.values import u8, u16, u64


def guid(n: int) -> str:
    return f"{{00000000-0000-4000-8000-{n:012x}}}"


def rule(n: int = 1, **members: object) -> Filter:
    base = Filter(
        FilterKey(guid(n)),
        f"f{n}",
        LAYER.ALE_AUTH_CONNECT_V4,
        SublayerKey("FWPM_SUBLAYER_UNIVERSAL"),
        ActionType.BLOCK,
    )
    return replace(base, **members)  # type: ignore[arg-type]


def sub(n: int, weight: int | None) -> Sublayer:
    return Sublayer(SublayerKey(guid(n)), f"s{n}", weight)


def of(name: str, *filters: Filter, **members: object) -> Policy:
    return replace(Policy(filters=filters, sources=(name,)), **members)  # type: ignore[arg-type]


# -- objects by key ----------------------------------------------------------------------------------------------------


def test_objects_add_up_in_the_order_of_the_files() -> None:
    merged = merge([of("a", rule(2)), of("b", rule(1))])
    assert [f.name for f in merged.filters] == ["f2", "f1"]
    assert merged.sources == ("a", "b")


def test_an_equal_object_is_one_and_its_ids_do_not_count() -> None:
    merged = merge([of("a", rule(id=7)), of("b", rule(id=8, effective_weight=5, place=Place("b", 3)))])
    assert [(f.id, f.effective_weight, f.place) for f in merged.filters] == [(7, 5, Place("a"))]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        pytest.param(
            rule(action=ActionType.PERMIT, place=Place("b", 9)),
            f"b:9: filter 'f1' {guid(1)}: found action PERMIT, wanted action BLOCK, as in a; or --last-wins",
            id="another action",
        ),
        pytest.param(
            rule(name="g", weight=u8(3)),
            f"b: filter 'g' {guid(1)}: found name g, weight 3, wanted name f1, weight EMPTY, as in a; or --last-wins",
            id="another name and weight",
        ),
    ],
)
def test_different_content_under_one_key_shows_both(second: Filter, message: str) -> None:
    first = replace(rule(), action=ActionType.BLOCK)
    with pytest.raises(InputError) as caught:
        merge([of("a", first), of("b", second)])
    assert str(caught.value) == message


def test_the_last_one_wins_where_it_is_to() -> None:
    merged = merge([of("a", rule()), of("b", rule(name="g"))], last_wins=True)
    assert [f.name for f in merged.filters] == ["g"]


def test_a_key_that_one_file_has_twice_stays_twice() -> None:
    assert len(merge([of("a", rule(), rule(name="g")), of("b", rule(2))]).filters) == 3


@pytest.mark.parametrize(
    ("member", "first", "second"),
    [
        pytest.param("sublayers", sub(1, 0x101), sub(1, 0x102), id="sublayers"),
        pytest.param("providers", Provider(ProviderKey(guid(1)), "p"), Provider(ProviderKey(guid(1)), "q"), id="providers"),
        pytest.param(
            "callouts", Callout(CalloutKey(guid(1)), "c", None),
            Callout(CalloutKey(guid(1)), "c", None, flags=CalloutFlags.REGISTERED), id="callouts",
        ),
    ],
)  # fmt: skip
def test_other_objects_conflict_too(member: str, first: object, second: object) -> None:
    policies = [of("a", **{member: (first,)}), of("b", **{member: (second,)})]
    with pytest.raises(InputError, match="or --last-wins"):
        merge(policies)
    assert getattr(merge(policies, last_wins=True), member) == (second,)


def test_the_names_of_windows_own_objects_are_in_the_language_of_the_machine() -> None:
    key = ProviderKey("FWPM_PROVIDER_MPSSVC_WF")
    policies = [of(name, rule(name=name, provider=key), providers=(Provider(key, name),)) for name in ("a", "b")]
    merged = merge(policies)
    assert ([p.name for p in merged.providers], [f.name for f in merged.filters]) == (["a"], ["a"])


@pytest.mark.parametrize("order", [1, -1])
def test_an_object_that_repeats_the_catalog_yields_to_a_machines(order: int) -> None:
    known = next(iter(catalog.callouts().values()))
    machines = replace(known, flags=CalloutFlags(0))
    merged = merge([of("a", callouts=(known,)), of("b", callouts=(machines,))][::order])
    assert merged.callouts == (machines,)


def test_what_the_sources_tell_is_kept() -> None:
    layers = tuple(catalog.layers("older").values())
    a = of("a", layers=layers, other=(Node("x"),), warnings=("w",))
    b = of("b", whole=False, lists_sublayers=False, lists_callouts=False, warnings=("v",))
    merged = merge([a, b])
    assert (merged.layers, merged.other, merged.warnings) == (layers, (Node("x"),), ("w", "v"))
    assert (merged.whole, merged.lists_sublayers, merged.lists_callouts) == (False, False, False)
    assert merge([of("a", fields="older"), of("b")]).fields == "older"


# -- run-time ids ------------------------------------------------------------------------------------------------------


def test_equal_ids_of_two_files_are_told_apart_by_their_place() -> None:
    merged = merge([of("a", rule(1, id=7)), of("b", rule(2, id=7)), of("c", rule(3, id=8))])
    assert [(f.id, str(f.place)) for f in merged.filters] == [(7, "a"), (7, "b"), (8, "c")]
    assert merged.warnings == (
        "1 run-time ids stand for two filters each, such as 7 in a and b: ids are one machine's own",
    )


def test_completion_numbers_what_has_no_id_after_all_others() -> None:
    done = complete(merge([of("a", rule(1), rule(2)), of("b", rule(3, id=100))]))
    assert [(f.name, f.id) for f in done.filters] == [("f1", 101), ("f2", 102), ("f3", 100)]


def test_completion_weighs_what_has_no_weight() -> None:
    done = complete(of("a", rule(1, weight=u8(3)), rule(2, weight=u64(5)), rule(3, effective_weight=9)))
    assert [f.effective_weight for f in done.filters] == [3 << 60, 5, 9]


def test_a_layer_that_nobody_knows_leaves_the_weight_open() -> None:
    done = complete(of("a", rule(layer=LayerKey("FWPM_LAYER_NEW"))))
    assert [(f.id, f.effective_weight) for f in done.filters] == [(1, None)]


def test_completion_refuses_a_weight_that_windows_refuses() -> None:
    with pytest.raises(InputError) as caught:
        complete(of("a", rule(weight=u16(1), place=Place("a", 4))))
    assert str(caught.value) == (
        "a:4: filter 0 'f1': found weight 1 of type UINT16, wanted EMPTY, UINT8 from 0 to 15, or UINT64 (FWP_E_INVALID_WEIGHT)"
    )


def test_completion_numbers_callouts_and_contexts() -> None:
    callouts = tuple(Callout(CalloutKey(guid(n)), "c", None, id=number) for n, number in enumerate((None, 300, None)))
    done = complete(of("a", callouts=callouts, contexts=(_context(1), _context(2))))
    assert [c.id for c in done.callouts] == [301, 300, 302]
    assert [c.id for c in done.contexts] == [1, 2]
    assert [c.id for c in complete(of("a", callouts=callouts[:1])).callouts] == [256]


def _context(n: int) -> ProviderContext:
    return ProviderContext(ContextKey(guid(n)), f"x{n}", "FWPM_GENERAL_CONTEXT")


# -- sublayer weights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        pytest.param([0xFFFF, 0xFFFF, 0xFFFF], [65535, 65534, 65533], id="the highest goes down"),
        pytest.param([0xA000], [0xA001], id="one that Windows has taken goes up"),
        pytest.param([0x8000, 0x8000, 0x8000, 0x8000], [32769, 32770, 32766, 32771], id="up and down in turn"),
        pytest.param([0x100, 0x100], [0x100, 0x101], id="up first"),
        pytest.param([None, 0x100, None], [None, 0x100, None], id="a weight nobody knows stays unknown"),
    ],
)
def test_a_sublayer_whose_weight_is_taken_gets_the_closest(asked: list[int | None], given: list[int | None]) -> None:
    merged = merge([of("a", sublayers=tuple(sub(n, weight) for n, weight in enumerate(asked)))])
    assert [s.weight for s in merged.sublayers] == given
    assert len(merged.warnings) == sum(a != g for a, g in zip(asked, given, strict=True))


def test_what_a_machine_lists_keeps_its_weight_whatever_the_order() -> None:
    machine = of("m", sublayers=(sub(1, 0xFFFF),), layers=tuple(catalog.layers().values()))
    merged = merge([of("a", sublayers=(sub(2, 0xFFFF),)), machine])
    assert {s.name: s.weight for s in merged.sublayers} == {"s1": 0xFFFF, "s2": 0xFFFE}


def test_the_warning_says_who_has_the_weight() -> None:
    merged = merge([of("a", sublayers=(sub(1, 5),)), of("b", sublayers=(sub(2, 5),))])
    assert merged.warnings[-1] == (
        "sublayer 's2' asks for weight 0x0005, which 'WFP Built-in MPSSVC Enterprise Data Protection Sublayer' has: "
        "it gets 0x0009, the closest free one"
    )


def test_more_sublayers_than_there_are_weights_is_an_error() -> None:
    weights = _taken(range(0x10000))
    with pytest.raises(InputError, match=r"found more than 65536, wanted at most 65536 \(FWP_E_TOO_MANY_SUBLAYERS\)"):
        weights.closest(5)


def test_forty_thousand_sublayers_that_ask_for_one_weight_are_placed_at_once() -> None:
    weights = Weights()
    given = [weights.place(sub(n, 0x8000)) for n in range(40_000)]
    assert len(set(given)) == 40_000
    assert given[:4] == [0x8000, 0x8001, 0x7FFF, 0x8002]


@given(st.integers(0, 0xFFFF), st.sets(st.integers(0, 0xFFFF), max_size=40))
@example(5, {3, 4, 5, 6, 7})
@example(0, {0})
@example(0xFFFF, {0xFFFF, 0xFFFE})
def test_the_closest_free_weight_is_free_and_none_is_closer(weight: int, taken: set[int]) -> None:
    order = (w for d in range(0x10000) for w in (weight + d, weight - d) if 0 <= w <= 0xFFFF)
    assert _taken(taken).closest(weight) == next(w for w in order if w not in taken)


def _taken(taken: Iterable[int]) -> Weights:
    weights = Weights()
    for weight in taken:
        weights.take(weight, "x")
    return weights
