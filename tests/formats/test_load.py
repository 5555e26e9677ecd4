"""Files to one policy: formats by content, files that cannot be read, references across files, real dumps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tamiz.formats.load import MAX_BYTES, READABLE, load_policies
from tamiz.model.catalog import FieldList
from tamiz.model.errors import InputError
from tests.shared import shared

FILTER = '[[filter]]\nname = "{name}"\nlayer = "ale-auth-connect-v4"\naction = "block"\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(path: str) -> str:
    with pytest.raises(InputError) as caught:
        load_policies([path])
    return str(caught.value)


def test_no_files_are_an_empty_policy() -> None:
    assert load_policies([]).filters == ()


def test_a_toml_file_gets_ids_and_weights(here: Path) -> None:
    (here / "a.toml").write_text(FILTER.format(name="x") + "weight = 3\n" + FILTER.format(name="y"))
    policy = load_policies(["a.toml"])
    assert [(f.id, f.effective_weight) for f in policy.filters] == [(1, 3 << 60), (2, 0)]
    assert policy.sources == ("a.toml",)


def test_ids_follow_the_order_of_the_files(here: Path) -> None:
    for name in ("b", "a"):
        (here / f"{name}.toml").write_text(FILTER.format(name=name))
    policy = load_policies(["b.toml", "a.toml"])
    assert [(f.name, f.id) for f in policy.filters] == [("b", 1), ("a", 2)]


def test_a_file_refers_to_objects_of_the_files_before_it(here: Path) -> None:
    (here / "a.toml").write_text('[[sublayer]]\nname = "s"\nweight = 1\n')
    (here / "b.toml").write_text(FILTER.format(name="f") + 'sublayer = "s"\n')
    policy = load_policies(["a.toml", "b.toml"])
    assert policy.filters[0].sublayer == policy.sublayers[0].key
    with pytest.raises(InputError, match="FWP_E_SUBLAYER_NOT_FOUND"):
        load_policies(["b.toml", "a.toml"])


def test_one_object_with_two_contents_is_refused_unless_the_last_one_wins(here: Path) -> None:
    for name, weight in (("a", 0x101), ("b", 0x102)):
        (here / f"{name}.toml").write_text(f'[[sublayer]]\nname = "s"\nweight = {weight}\n')
    with pytest.raises(InputError, match=r"found weight 258, wanted weight 257, as in a\.toml; or --last-wins"):
        load_policies(["a.toml", "b.toml"])
    assert load_policies(["a.toml", "b.toml"], last_wins=True).sublayers[0].weight == 0x102


def test_the_same_file_twice_is_the_file(here: Path) -> None:
    (here / "a.toml").write_text(FILTER.format(name="x"))
    assert load_policies(["a.toml", "a.toml"]).filters == load_policies(["a.toml"]).filters


@pytest.mark.parametrize(
    ("head", "fields", "app_bit"),
    [
        pytest.param("", None, 38, id="the newest, where nobody says"),
        pytest.param('fields = "older"\n', None, 37, id="as the file says"),
        pytest.param("", "older", 37, id="as the caller says"),
    ],
)
def test_weights_follow_the_field_lists(head: str, fields: FieldList | None, app_bit: int, here: Path) -> None:
    (here / "a.toml").write_text(head + FILTER.format(name="x") + 'conditions = { app = "System" }\n')
    assert load_policies(["a.toml"], fields=fields).filters[0].effective_weight == 1 << app_bit


# -- files that are no policy ------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there(here: Path) -> None:
    assert refusal("no.xml") == "no.xml: the file: found no such file, wanted a file"


def test_a_folder(here: Path) -> None:
    (here / "d").mkdir()
    assert refusal("d") == "d: the file: found a folder, wanted a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission(here: Path) -> None:
    (here / "a").touch(mode=0)
    assert refusal("a") == "a: the file: found no permission to read it, wanted a file that can be read"


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "a/" * 3000])
def test_a_path_that_no_file_can_have(path: str, here: Path) -> None:
    assert ": the file: found " in refusal(path)


def test_a_file_that_is_too_large(here: Path) -> None:
    with (here / "a").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert refusal("a") == f"a: the file: found more than {MAX_BYTES} bytes, wanted at most {MAX_BYTES}"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(b"", "nothing in it", id="an empty file"),
        pytest.param(b" \r\n", "nothing in it", id="blanks"),
        pytest.param(b"MSCF\0\0", "a cabinet", id="a cabinet"),
        pytest.param(b"\x1f\x8b\x08", "a gzip file", id="gzip"),
        pytest.param(b"\x0a\x0d\x0d\x0a\0", "a capture (pcapng)", id="a capture"),
        pytest.param(b"ElfFile\0", "a Windows event log (.evtx)", id="an event log"),
        pytest.param(b"\xff\xfea\0", "UTF-16 text", id="UTF-16"),
        pytest.param(b'\n{"a": 1}', "JSON", id="JSON"),
        pytest.param(b"\xef\xbb\xbf<html/>", "XML of another kind", id="XML that is no dump"),
        pytest.param(b"a = 1\0", "binary data", id="bytes of any kind"),
    ],
)
def test_other_formats_are_named(data: bytes, found: str, here: Path) -> None:
    (here / "a").write_bytes(data)
    assert refusal("a") == f"a: the file: found {found}, wanted {READABLE}"


# -- real dumps --------------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_two_dumps_of_one_machine_are_one_policy() -> None:
    paths = [str(shared(f"data/dumps/workstation-a.{kind}.xml")) for kind in ("filters", "wfpstate")]
    policy = load_policies(paths)
    assert len(policy.filters) == 1050
    assert all(f.id and f.effective_weight is not None for f in policy.filters)


@pytest.mark.shared
def test_a_toml_policy_over_a_dump_gets_the_free_weight_and_the_ids_after_it(here: Path) -> None:
    path = str(shared("data/dumps/workstation-b.wfpstate.xml"))
    dump = load_policies([path])
    taken = sorted(s.weight for s in dump.sublayers if s.weight is not None)
    (here / "a.toml").write_text(
        f'[[sublayer]]\nname = "s"\nweight = {taken[-1]}\n{FILTER.format(name="x")}sublayer = "s"\n'
    )
    policy = load_policies(["a.toml", path])
    ours = policy.filters[0]
    assert ours.id == max(f.id for f in dump.filters) + 1
    assert policy.weight_of(ours.sublayer) not in taken
    assert [s for s in policy.sublayers if s.name != "s"] == list(dump.sublayers)


# -- volumes ----------------------------------------------------------------------------------------------------------

ON_C = FILTER.format(name="f") + "conditions = { app = 'C:\\Acme\\vpn.exe' }\n"
VOLUMES = "[volumes]\n'C:' = '\\Device\\HarddiskVolume3'\n"


@pytest.mark.parametrize(
    ("files", "volumes", "app"),
    [
        pytest.param((ON_C,), {}, "\\??\\c:\\acme\\vpn.exe", id="nobody tells the volume"),
        pytest.param(
            (ON_C,), {"C:": "\\device\\harddiskvolume9"}, "\\device\\harddiskvolume9\\acme\\vpn.exe", id="the user tells it"
        ),
        pytest.param(
            (ON_C,), {"D:": "\\device\\harddiskvolume9"}, "\\??\\c:\\acme\\vpn.exe", id="the user tells another one"
        ),
        pytest.param((VOLUMES, ON_C), {}, "\\device\\harddiskvolume3\\acme\\vpn.exe", id="a file before tells it"),
        pytest.param((ON_C, VOLUMES), {}, "\\device\\harddiskvolume3\\acme\\vpn.exe", id="a file after tells it"),
        pytest.param(
            (ON_C, VOLUMES), {"C:": "\\device\\harddiskvolume9"}, "\\device\\harddiskvolume9\\acme\\vpn.exe",
            id="the user's word counts before a file's",
        ),
    ],
)  # fmt: skip
def test_a_drive_becomes_its_volume_wherever_that_is_told(
    files: tuple[str, ...], volumes: dict[str, str], app: str, here: Path
) -> None:
    paths = [f"{n}.toml" for n in range(len(files))]
    for path, text in zip(paths, files, strict=True):
        (here / path).write_text(text)
    policy = load_policies(paths, volumes=volumes)
    ((condition,),) = (f.conditions for f in policy.filters)
    assert str(condition) == f"ALE_APP_ID EQUAL {app}"
    assert bool(policy.warnings) is app.startswith("\\??")


def test_files_of_one_name_in_two_folders_are_two_policies(tmp_path: Path) -> None:
    paths = []
    for folder, action in (("a", "permit"), ("b", "block")):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "policy.toml"
        path.write_text(f'[[filter]]\nname = "rule"\nlayer = "ale-auth-connect-v4"\naction = "{action}"\n')
        paths.append(str(path))
    policy = load_policies(paths)
    assert [f.action.name for f in policy.filters] == ["PERMIT", "BLOCK"]
    assert len({f.key for f in policy.filters}) == 2
    assert len(load_policies([paths[0], paths[0]]).filters) == 1, "the same file twice is one policy"
