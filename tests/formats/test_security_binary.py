"""Self-relative security descriptors: bytes that Windows makes, bytes that are none."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamiz.formats.sddl import INVALID, parse_sddl, write_sddl
from tamiz.formats.sddl.binary import read_security, write_security
from tamiz.model.errors import InputError, Place
from tamiz.model.security import Ace, AceFlags, AceType, SecurityDescriptor
from tamiz.model.sids import EVERYONE
from tests.descriptors import descriptors

PLACE = Place("policy.xml", offset=3)


def read(data: bytes) -> SecurityDescriptor:
    return read_security(data, PLACE, "filter 'x'")


def written(text: str) -> bytes:
    return write_security(parse_sddl(text, PLACE, "x"), PLACE, "x")


WORLD = "010100000000000100000000"

# laid out by hand from MS-DTYP 2.4: header, SACL, DACL, owner, group
BYTES = [
    pytest.param("", "01000080" + "00000000" * 4, id="nothing but a header"),
    pytest.param("D:", "01000480" + "00000000" * 3 + "14000000" + "0200080000000000", id="an empty DACL"),
    pytest.param("D:NO_ACCESS_CONTROL", "01000480" + "00000000" * 4, id="a null DACL: present, but nowhere"),
    pytest.param(
        "D:PAI(A;NP;CC;;;WD)",
        "01000494" + "00000000" * 3 + "14000000" + "02001c0001000000" + "00041400" + "01000000" + WORLD,
        id="one entry, and flags",
    ),
    pytest.param(
        "O:WDG:WDD:S:AI",
        "01001488" + "24000000" + "30000000" + "14000000" + "1c000000" + "0200080000000000" * 2 + WORLD * 2,
        id="the SACL comes first, owner and group last",
    ),
    pytest.param(
        'D:(XA;;CC;;;WD;(a Contains "b"))',
        "01000480" + "00000000" * 3 + "14000000" + "0200300001000000" + "09002800" + "01000000" + WORLD
        # artx, local attribute "a", text "b", Contains, padding
        + "61727478" + "f8020000006100" + "10020000006200" + "86" + "00",
        id="a conditional entry",
    ),
    pytest.param(
        "D:(XD;;CC;;;WD;(!(Member_of {SID(WD)})))",
        "01000480" + "00000000" * 3 + "14000000" + "0200380001000000" + "0a003000" + "01000000" + WORLD
        + "61727478" + "5011000000" + "510c000000" + WORLD + "89" + "a2",
        id="a membership, negated",
    ),
    pytest.param(
        "D:(XA;;CC;;;WD;(@USER.a == -0x2))",
        "01000480" + "00000000" * 3 + "14000000" + "0200340001000000" + "09002c00" + "01000000" + WORLD
        + "61727478" + "f9020000006100" + "04feffffffffffffff" + "0203" + "80" + "00",
        id="a number with its sign and base",
    ),
    pytest.param(
        'S:(RA;;;;;WD;("n",TS,0x2,"x"))',
        "01001080" + "00000000" * 2 + "14000000" + "00000000" + "0200380001000000" + "12003000" + "00000000" + WORLD
        + "14000000" + "03000000" + "02000000" + "01000000" + "18000000" + "6e000000" + "78000000",
        id="a resource attribute",
    ),
    pytest.param(
        "D:(OA;;CC;00299570-246d-11d0-a768-00aa006e0529;;WD)",
        "01000480" + "00000000" * 3 + "14000000" + "0400300001000000" + "05002800" + "01000000" + "01000000"
        + "709529006d24d011a76800aa006e0529" + WORLD,
        id="an object entry, in an ACL of revision 4",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "data"), BYTES)
def test_bytes_and_text_agree(text: str, data: str) -> None:
    assert written(text).hex() == data
    assert str(read(bytes.fromhex(data))) == text


@given(descriptors())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_descriptor_comes_back_from_its_bytes(descriptor: SecurityDescriptor) -> None:
    found = read(write_security(descriptor, PLACE, "x"))
    assert found == descriptor
    assert parse_sddl(found.text, PLACE, "x") == descriptor


def test_parts_may_stand_anywhere() -> None:
    header = struct.pack("<BBHIIII", 1, 0, 0x8004, 44, 0, 0, 24)
    data = header + bytes(4) + bytes.fromhex("0200080000000000") + bytes(12) + bytes.fromhex(WORLD) + b"junk"
    assert str(read(data)) == "O:WDD:"


# -- refusals ---------------------------------------------------------------------------------------------------

HEAD = "01000480" + "00000000" * 3 + "14000000"


def one(entry: str, count: int = 1) -> str:
    """A descriptor whose DACL has `entry` alone."""
    size = 8 + len(entry) // 2
    return HEAD + struct.pack("<BBHHH", 2, 0, size, count, 0).hex() + entry


def conditional(tokens: str) -> str:
    """The same with a conditional entry of these tokens."""
    body = "61727478" + tokens
    body += "00" * (-(len(body) // 2) % 4)
    return one("0900" + struct.pack("<H", 20 + len(body) // 2).hex() + "01000000" + WORLD + body)


NAME, TEXT = "f8020000006100", "10020000006200"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("", id="nothing"),
        pytest.param("01000480" + "00000000" * 3, id="a header cut short"),
        pytest.param("02" + HEAD[2:] + "0200080000000000", id="another revision"),
        pytest.param("01000400" + HEAD[8:] + "0200080000000000", id="the absolute form"),
        pytest.param("01000080" + "ff000000" + "00000000" * 3, id="an owner beyond the end"),
        pytest.param("01000080" + "14000000" + "00000000" * 3 + WORLD[:-2], id="an owner cut short"),
        pytest.param(HEAD, id="no DACL where it should be"),
        pytest.param(HEAD + "0900080000000000", id="an ACL of unknown revision"),
        pytest.param(HEAD + "0200040000000000", id="an ACL smaller than its header"),
        pytest.param(HEAD + "0200ff0000000000", id="an ACL beyond the end"),
        pytest.param(one("00001400" + "01000000" + WORLD, count=2), id="fewer entries than said"),
        pytest.param(one("00001500" + "01000000" + WORLD), id="an entry of an odd size"),
        pytest.param(one("00000000" + "01000000" + WORLD), id="an entry of no size"),
        pytest.param(one("00001000" + "01000000" + WORLD[:16]), id="a SID beyond its entry"),
        pytest.param(one("30001400" + "01000000" + WORLD), id="an unknown type"),
        pytest.param(one("05001400" + "01000000" + "03000000" + "00000000" * 2), id="object types that do not fit"),
        pytest.param(one("09001400" + "01000000" + WORLD), id="a conditional entry without an expression"),
        pytest.param(one("12001400" + "01000000" + WORLD), id="a resource attribute without a claim"),
        pytest.param(conditional(""), id="an expression of nothing"),
        pytest.param(conditional(NAME + NAME), id="two values left over"),
        pytest.param(conditional(TEXT), id="a literal alone"),
        pytest.param(conditional("80"), id="an operator without values"),
        pytest.param(conditional(TEXT + NAME + "80"), id="a literal at the left"),
        pytest.param(conditional(NAME + NAME + "80"), id="a plain name at the right"),
        pytest.param(conditional(NAME + TEXT + "80" + NAME + TEXT + "80" + "80"), id="a comparison of answers"),
        pytest.param(conditional(NAME + "89"), id="membership of a name"),
        pytest.param(conditional(TEXT + "87"), id="existence of a text"),
        pytest.param(conditional(TEXT + "a2"), id="negation of a text"),
        pytest.param(conditional("ee"), id="an unknown token"),
        pytest.param(conditional(NAME + "10ffffff7f"), id="a text of two gigabytes"),
        pytest.param(conditional(NAME + "1002000000" + "2200" + "80"), id="a quotation mark in a text"),
        pytest.param(conditional(NAME + "1002000000" + "00d8" + "80"), id="half a surrogate in a text"),
        pytest.param(conditional(NAME + "1001000000" + "61" + "80"), id="half a character in a text"),
        pytest.param(conditional("f800000000"), id="a name of no letters"),
        pytest.param(conditional(NAME + "04" + "00" * 8 + "0902" + "80"), id="an unknown sign"),
        pytest.param(conditional(NAME + "04" + "01" + "00" * 7 + "0202" + "80"), id="a positive number with a minus"),
        pytest.param(conditional(NAME + "01" + "ff00" + "00" * 6 + "0302" + "80"), id="255 in eight signed bits"),
        pytest.param(conditional(NAME + "a2" * 40), id="forty negations"),
        pytest.param(conditional(NAME + "a2" * 5000), id="five thousand negations"),
        pytest.param(conditional((NAME + "a2") * 40 + "a0" * 39), id="a junction nested to the right"),
    ],
)
def test_what_is_no_descriptor_is_refused(data: str) -> None:
    with pytest.raises(InputError) as refused:
        read(bytes.fromhex(data))
    assert refused.value.code == INVALID
    assert (refused.value.place, refused.value.subject) == (PLACE, "filter 'x'")


@pytest.mark.parametrize(("text", "hexadecimal"), BYTES)
def test_truncation_is_refused(text: str, hexadecimal: str) -> None:
    data = bytes.fromhex(hexadecimal)
    assert str(read(data)) == text
    for cut in range(len(data)):
        with pytest.raises(InputError, match=INVALID):
            read(data[:cut])


@given(st.sampled_from([str(case.values[1]) for case in BYTES]), st.data())
@settings(deadline=None)
def test_damage_is_read_or_refused(hexadecimal: str, draw: st.DataObject) -> None:
    data = bytearray.fromhex(hexadecimal)
    data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        found = read(bytes(data))
    except InputError:
        return
    assert parse_sddl(write_sddl(found), PLACE, "x") == found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("O:DA", id="an owner"),
        pytest.param("D:(A;;CC;;;LA)", id="an entry"),
        pytest.param("D:(XA;;CC;;;WD;(Member_of {SID(DU)}))", id="an expression"),
        pytest.param('S:(RA;;;;;WD;("n",TD,0x0,SID(DA)))', id="a claim"),
    ],
)
def test_an_account_of_an_unknown_domain_has_no_bytes(text: str) -> None:
    with pytest.raises(InputError, match="hangs on the SID of a domain"):
        written(text)


def test_an_acl_beyond_64_kib_has_no_bytes() -> None:
    acl = (Ace(AceType.ALLOW, AceFlags(0), 1, EVERYONE),) * 3277
    with pytest.raises(InputError, match="ACL"):
        write_security(SecurityDescriptor(dacl=acl), PLACE, "x")
