"""Random security descriptors that have both a text and a binary form, for property tests."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from tamiz.formats.sddl.expressions import EXISTENCES, MEMBERSHIPS, RELATIONS, encode_name, join
from tamiz.model.security import (
    NO_ACCESS_CONTROL,
    Ace,
    AceFlags,
    AceType,
    Attribute,
    Claim,
    Existence,
    Expression,
    Literals,
    Membership,
    Negation,
    Number,
    Relation,
    SecurityDescriptor,
)
from tamiz.model.sids import ALIASES, Sid

_CHARACTERS = st.characters(exclude_categories=("Cs",), exclude_characters='\0"')
texts = st.text(_CHARACTERS, max_size=8)
sids = st.one_of(
    st.sampled_from(sorted(ALIASES.values(), key=str)),
    st.builds(
        Sid,
        st.integers(0, (1 << 48) - 1),
        st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=15).map(tuple),
    ),
)
guids = st.one_of(st.just(""), st.uuids().map(str))


@st.composite
def attributes(draw: Callable, prefixes: tuple[str, ...] = ("", "@USER.", "@DEVICE.", "@RESOURCE.")) -> Attribute:
    name = draw(st.one_of(st.text(_CHARACTERS, min_size=1, max_size=8), st.sampled_from(("Exists", "contains"))))
    return Attribute(encode_name(draw(st.sampled_from(prefixes)), name))


@st.composite
def numbers(draw: Callable) -> Number:
    value, base = draw(st.integers(-(1 << 63), (1 << 63) - 1)), draw(st.sampled_from((8, 10, 16)))
    signs = {True: ("-",) if base == 10 else ("-", ""), False: ("", "+")}[value < 0]
    return Number(value, draw(st.sampled_from(signs)), base)


literal = st.one_of(texts, numbers(), st.binary(max_size=6), sids)
literals = st.one_of(
    literal.map(lambda item: Literals((item,))),
    st.lists(literal, max_size=3).map(lambda items: Literals(tuple(items), composite=True)),
)
tests = st.one_of(
    st.builds(
        Relation,
        st.sampled_from(RELATIONS),
        attributes(),
        st.one_of(literals, attributes(("@USER.", "@RESOURCE."))),
    ),
    st.builds(Membership, st.sampled_from(MEMBERSHIPS), literals),
    st.builds(Existence, st.sampled_from((*EXISTENCES, "")), attributes()),
)
expressions: st.SearchStrategy[Expression] = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.builds(Negation, inner),
        st.builds(join, st.sampled_from(("&&", "||")), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)
claims = st.one_of(
    *(
        st.builds(
            Claim,
            st.text(_CHARACTERS, min_size=1, max_size=8),
            st.just(kind),
            st.integers(0, 0xFFFFFFFF),
            st.lists(values, max_size=3).map(tuple),
        )
        for kind, values in {
            "TI": st.integers(-(1 << 63), (1 << 63) - 1),
            "TU": st.integers(0, (1 << 64) - 1),
            "TS": texts,
            "TD": sids,
            "TX": st.binary(max_size=6),
            "TB": st.integers(0, 1),
        }.items()
    )
)


@st.composite
def entries(draw: Callable, types: tuple[AceType, ...] = tuple(AceType)) -> Ace:
    kind = draw(st.sampled_from(types))
    return Ace(
        kind,
        AceFlags(draw(st.integers(0, 255))),
        draw(st.one_of(st.sampled_from((0, 1, 0x20001, 0x1F01FF, 0x10000000)), st.integers(0, 0xFFFFFFFF))),
        draw(sids),
        condition=draw(expressions) if kind.is_conditional else None,
        guids=(draw(guids), draw(guids)) if kind.is_object else ("", ""),
        claim=draw(claims) if kind is AceType.RESOURCE_ATTRIBUTE else None,
    )


@st.composite
def descriptors(draw: Callable) -> SecurityDescriptor:
    acls = [draw(st.one_of(st.none(), st.lists(entries(), max_size=4).map(tuple))) for _ in range(2)]
    flags = [_flags(draw, acl is None) for acl in acls]
    owner, group = draw(st.none() | sids), draw(st.none() | sids)
    return SecurityDescriptor(owner, group, *acls, *flags)


def _flags(draw: Callable, null: bool) -> tuple[str, ...]:
    said = tuple(flag for flag in ("P", "AR", "AI") if draw(st.booleans()))
    if not null:
        return said
    return (*said, NO_ACCESS_CONTROL) if draw(st.booleans()) else ()
