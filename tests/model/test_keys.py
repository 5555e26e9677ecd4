"""Identifiers print as netsh prints them."""

from __future__ import annotations

import pytest

from tamiz.model._tables import FIELD, LAYER
from tamiz.model.keys import FilterKey, LayerKey, is_guid


@pytest.mark.parametrize(
    ("text", "guid"),
    [
        pytest.param("{0123abcd-4567-89ab-cdef-0123456789ab}", True, id="braces and lower case"),
        pytest.param("{0123ABCD-4567-89AB-CDEF-0123456789AB}", False, id="upper case is not how netsh prints it"),
        pytest.param("0123abcd-4567-89ab-cdef-0123456789ab", False, id="no braces"),
        pytest.param("{0123abcd-4567-89ab-cdef-0123456789ab}\n", False, id="a line end after it"),
        pytest.param("{0123abcd-4567-89ab-cdef-0123456789abc}", False, id="a digit too many"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_what_a_guid_looks_like(text: str, guid: bool) -> None:
    assert is_guid(text) is guid


def test_short_names_have_no_prefix() -> None:
    assert LAYER.ALE_AUTH_CONNECT_V4.short == "ALE_AUTH_CONNECT_V4"
    assert FIELD.IP_REMOTE_PORT.short == "IP_REMOTE_PORT"
    assert LayerKey("{0123abcd-4567-89ab-cdef-0123456789ab}").short == "{0123abcd-4567-89ab-cdef-0123456789ab}"


def test_a_key_shows_its_kind() -> None:
    assert repr(FilterKey("{x}")) == "FilterKey('{x}')"
    assert FilterKey("{x}").is_guid and not LAYER.RPC_UM.is_guid
