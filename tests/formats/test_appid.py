r"""Application ids: DOS, UNC and NT paths, with and without a volume map."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.formats.appid import AppIds, Basis, app_blob, nt_path, read_volume, tail
from tamiz.model.errors import InputError

C3 = {"C:": "\\device\\harddiskvolume3"}
VPN3, VPN4 = "\\device\\harddiskvolume3\\acme\\vpn.exe", "\\device\\harddiskvolume4\\acme\\vpn.exe"
DOS_C, DOS_D = "\\??\\c:\\acme\\vpn.exe", "\\??\\d:\\acme\\vpn.exe"
VPN = "C:\\Acme\\vpn.exe"


@pytest.mark.parametrize(
    ("path", "volumes", "known", "paths", "basis"),
    [
        pytest.param(VPN, C3, (), (VPN3,), Basis.EXACT, id="a known volume is exact"),
        pytest.param(VPN, C3, (VPN4,), (VPN3,), Basis.EXACT, id="a known volume is exact whatever the policy names"),
        pytest.param("c:\\\\acme/vpn.exe", C3, (), (VPN3,), Basis.EXACT, id="slashes and case"),
        pytest.param("\\\\?\\C:\\Acme\\vpn.exe", C3, (), (VPN3,), Basis.EXACT, id="a verbatim path"),
        pytest.param(VPN, {}, (), (DOS_C,), Basis.EXACT, id="nobody names the path: any volume is as good"),
        pytest.param(VPN, {}, (DOS_C,), (DOS_C,), Basis.EXACT, id="the policy has the same drive letter"),
        pytest.param(VPN, {}, (DOS_D,), (DOS_C,), Basis.EXACT, id="another drive letter is another file"),
        pytest.param(VPN, {}, (VPN3, "\\device\\harddiskvolume4\\x"), (VPN3,), Basis.ASSUMED, id="one volume has the path"),
        pytest.param(VPN, {}, (VPN3, VPN4), (VPN3, VPN4), Basis.SEVERAL, id="two volumes have it"),
        pytest.param(VPN, {}, (VPN3, DOS_C), (DOS_C, VPN3), Basis.SEVERAL, id="a volume and the drive letter"),
        pytest.param(VPN3, {}, (VPN4,), (VPN3,), Basis.EXACT, id="an NT path is exact"),
        pytest.param("\\Device\\HarddiskVolume3\\Acme\\VPN.exe", {}, (), (VPN3,), Basis.EXACT, id="in any case"),
        pytest.param(VPN3, {}, (DOS_C,), (DOS_C,), Basis.ASSUMED, id="the policy has only the drive letter"),
        pytest.param(VPN3, {}, (DOS_C, VPN3), (VPN3,), Basis.EXACT, id="the policy has the very path"),
        pytest.param(VPN3, {}, (DOS_C, DOS_D), (DOS_C, DOS_D, VPN3), Basis.SEVERAL, id="two drive letters"),
        pytest.param("\\\\server\\share\\x.exe", {}, (), ("\\device\\mup\\server\\share\\x.exe",), Basis.EXACT, id="a share"),
        pytest.param("system", {}, (), ("System",), Basis.EXACT, id="the kernel"),
    ],
)  # fmt: skip
def test_paths(
    path: str, volumes: dict[str, str], known: tuple[str, ...], paths: tuple[str, ...], basis: Basis
) -> None:
    found = nt_path(path, volumes, known)
    assert (found.paths, found.basis) == (paths, basis)
    assert bool(found.note) == (basis is not Basis.EXACT)


def test_the_notes_say_what_is_assumed() -> None:
    assert nt_path(VPN, {}, [VPN3]).note == f"C:\\acme\\vpn.exe is taken for {VPN3}: no --volume C: was given"
    assert nt_path(VPN, {}, [VPN3, VPN4]).note == (
        f"C:\\acme\\vpn.exe may be any of {VPN3}, {VPN4}: no --volume C: was given"
    )


@pytest.mark.parametrize(
    "path",
    [
        "",
        "vpn.exe",
        "C:vpn.exe",
        "C:",
        "C:\\",
        "\\device\\x",
        "\\x\\y",
        "C:\\a\0b",
        "%X%\\a",
        "C:\\" + "a" * 40_000,
    ],
)
def test_paths_that_are_not_absolute_are_refused(path: str) -> None:
    with pytest.raises(InputError) as caught:
        nt_path(path, {})
    assert str(caught.value).startswith("the application: its path: found '")
    assert str(caught.value).endswith(
        "wanted an absolute path such as C:\\Acme\\vpn.exe or \\Device\\HarddiskVolume3\\Acme\\vpn.exe, or System"
    )


def test_the_blob_is_lower_case_utf_16_with_its_nul() -> None:
    assert app_blob("\\Device\\X\\A.exe") == "\\device\\x\\a.exe\0".encode("utf-16-le")
    assert app_blob("SYSTEM") == "System\0".encode("utf-16-le")
    assert AppIds(("System",), Basis.EXACT).blobs == ("System\0".encode("utf-16-le"),)


@pytest.mark.parametrize(
    ("text", "volume"),
    [
        pytest.param("C:=\\Device\\HarddiskVolume3", ("C:", "\\device\\harddiskvolume3"), id="as Windows writes it"),
        pytest.param("d=\\device\\x\\", ("D:", "\\device\\x"), id="without colon, with a backslash at the end"),
    ],
)
def test_volumes(text: str, volume: tuple[str, str]) -> None:
    assert read_volume(text) == volume


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("C:", "--volume: the volume: found 'C:', wanted such as C:=\\Device\\HarddiskVolume3", id="no device"),
        pytest.param("CD=\\Device\\X", "--volume: the volumes: found 'CD', wanted a drive letter such as 'C:'", id="no letter"),
        pytest.param("C:=D:\\", "--volume: the volumes: found 'D:\\', wanted a device such as '\\Device\\HarddiskVolume3'", id="a drive"),
    ],
)  # fmt: skip
def test_volumes_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_volume(text)
    assert str(caught.value) == message


@given(st.text(max_size=30))
def test_any_text_gives_ids_or_an_input_error(text: str) -> None:
    try:
        found = nt_path(text, C3, [VPN3])
    except InputError:
        return
    assert len(found.blobs) == len(found.paths) >= 1


@given(st.sampled_from("CDE"), st.from_regex(r"[a-z]{1,5}(\\[a-z]{1,5}){0,3}", fullmatch=True))
def test_a_path_with_its_volume_known_ends_as_it_did(letter: str, rest: str) -> None:
    device = f"\\device\\harddiskvolume{ord(letter)}"
    (found,) = nt_path(f"{letter}:\\{rest}", {f"{letter}:": device}).paths
    assert (found, tail(found)) == (f"{device}\\{rest}", rest)
