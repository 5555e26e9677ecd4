"""SIDs: their printed form, their bytes, the ones that are computed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamiz.model.sids import (
    ALIASES,
    ALL_PACKAGES,
    EVERYONE,
    LETTERS,
    LOCAL_SYSTEM,
    NULL_SID,
    Sid,
    service_sid,
)
from tests.descriptors import sids


@pytest.mark.parametrize(
    ("text", "sid"),
    [
        pytest.param("S-1-1-0", EVERYONE, id="Everyone"),
        pytest.param("S-1-0-0", NULL_SID, id="the null SID is the package of a process outside any app container"),
        pytest.param("S-1-15-2-1", ALL_PACKAGES, id="ALL APPLICATION PACKAGES"),
        pytest.param("S-1-5-32-544", Sid(5, (32, 544)), id="two subauthorities"),
        pytest.param("S-1-0x12A05F200-7", Sid(5000000000, (7,)), id="an authority beyond 32 bits is hexadecimal"),
    ],
)
def test_a_sid_prints_as_it_is_read(text: str, sid: Sid) -> None:
    assert Sid.parse(text) == sid
    assert str(sid) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("S-1-5", id="no subauthority"),
        pytest.param("S-2-5-18", id="a revision that does not exist"),
        pytest.param("S-1-5-4294967296", id="a subauthority of 33 bits"),
        pytest.param("S-1-281474976710656-1", id="an authority of 49 bits"),
        pytest.param("S-1-5" + "-1" * 16, id="sixteen subauthorities"),
        pytest.param("S-1-5-18 ", id="a space after it"),
        pytest.param("S-1-5-\u0661", id="a digit of another script"),
    ],
)
def test_what_is_no_sid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SID"):
        Sid.parse(text)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(LOCAL_SYSTEM.to_bytes()[:-1], id="a byte short"),
        pytest.param(LOCAL_SYSTEM.to_bytes() + b"\0", id="a byte too many"),
        pytest.param(b"\2" + LOCAL_SYSTEM.to_bytes()[1:], id="another revision"),
        pytest.param(bytes((1, 0, 0, 0, 0, 0, 0, 5)), id="no subauthority"),
        pytest.param(bytes((1, 16, 0, 0, 0, 0, 0, 5)) + bytes(64), id="sixteen subauthorities"),
    ],
)
def test_bytes_that_are_no_sid_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="SID"):
        Sid.from_bytes(data)


def test_the_authority_is_big_endian_and_the_rest_little() -> None:
    assert Sid(5, (32, 544)).to_bytes().hex() == "01020000000000052000000020020000"


@given(sids)
@settings(deadline=None)
def test_text_and_bytes_come_back(sid: Sid) -> None:
    assert Sid.parse(str(sid)) == sid
    assert Sid.from_bytes(sid.to_bytes()) == sid


@pytest.mark.parametrize("cut", range(12))
def test_a_truncated_sid_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="SID"):
        Sid.from_bytes(EVERYONE.to_bytes()[:cut])


def test_a_service_sid_is_computed_from_the_name_in_any_case() -> None:
    dnscache = Sid.parse("S-1-5-80-859482183-879914841-863379149-1145462774-2388618682")
    assert service_sid("Dnscache") == service_sid("DNSCACHE") == dnscache
    assert dnscache.is_service


@given(st.text(max_size=20))
@settings(deadline=None)
def test_every_name_has_a_service_sid(name: str) -> None:
    assert service_sid(name).is_service


@pytest.mark.parametrize(
    ("text", "package", "capability"),
    [
        pytest.param("S-1-15-2-1", True, False, id="all packages"),
        pytest.param("S-1-15-2-1-2-3-4-5-6-7", True, False, id="a package"),
        pytest.param("S-1-15-3-1", False, True, id="the internetClient capability"),
        pytest.param("S-1-15-3-1024-1-2-3-4-5-6-7-8", False, True, id="a named capability"),
        pytest.param("S-1-5-2", False, False, id="a group with the number of packages"),
    ],
)
def test_packages_and_capabilities_are_told_apart(text: str, package: bool, capability: bool) -> None:
    sid = Sid.parse(text)
    assert (sid.is_package, sid.is_capability) == (package, capability)


def test_no_two_letters_share_a_sid() -> None:
    assert len(LETTERS) == len(ALIASES)
