"""How tamiz ends: codes, sentences, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tamiz.cli.exits import Exit, guarded
from tamiz.cli.main import VERBS, main
from tamiz.model.errors import EnvironmentLacks, InputError, Place, PolicyError

TAMIZ = Path(sys.executable).with_name("tamiz")


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The installed command, its output not to a terminal."""
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "TAMIZ_DEBUG", "FORCE_COLOR")}
    return subprocess.run([str(TAMIZ), *arguments], capture_output=True, text=True, check=False, env={**clean, **env})


def raising(error: BaseException) -> int:
    def action() -> None:
        raise error

    return guarded(action)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        pytest.param(
            InputError(Place("a.xml", 7), "filter 'x'", "a weight of 16", "0 to 15"), Exit.INPUT,
            "tamiz: a.xml:7: filter 'x': found a weight of 16, wanted 0 to 15\n", id="an input that cannot be read",
        ),
        pytest.param(
            PolicyError("FWP_E_INVALID_RANGE", "filter 'x'", "90-80", "low <= high"), Exit.INPUT,
            "tamiz: filter 'x': found 90-80, wanted low <= high (FWP_E_INVALID_RANGE)\n", id="a policy that Windows refuses",
        ),
        pytest.param(
            FileNotFoundError(2, "No such file or directory", "no.pcap"), Exit.INPUT,
            "tamiz: no.pcap: No such file or directory\n", id="a file that is not there",
        ),
        pytest.param(
            EnvironmentLacks("needs CAP_NET_ADMIN"), Exit.ENVIRONMENT, "tamiz: needs CAP_NET_ADMIN\n",
            id="a machine that lacks something",
        ),
        pytest.param(
            KeyError("x"), Exit.FAULT,
            "tamiz: KeyError: 'x'; this is a fault of tamiz, not of its input; TAMIZ_DEBUG=1 shows where\n",
            id="a fault of tamiz",
        ),
        pytest.param(
            RuntimeError("two\nlines\x1b[31m"), Exit.FAULT,
            "tamiz: RuntimeError: two?lines?[31m; this is a fault of tamiz, not of its input; TAMIZ_DEBUG=1 shows where\n",
            id="a message that would steer the terminal",
        ),
        pytest.param(
            InputError(Place("a\x1b[31m\n.xml"), "the file", "no such file", "a file"), Exit.INPUT,
            "tamiz: a\ufffd[31m\ufffd.xml: the file: found no such file, wanted a file\n",
            id="a file whose name would steer the terminal",
        ),
        pytest.param(
            OSError(28, "No space left on device"), Exit.ENVIRONMENT, "tamiz: No space left on device\n",
            id="a stream on a full disk",
        ),
        pytest.param(KeyboardInterrupt(), Exit.INTERRUPTED, "", id="an interrupt, quietly"),
        pytest.param(SystemExit(1), Exit.NO, "", id="an answer that is no"),
        pytest.param(SystemExit(None), Exit.DONE, "", id="an early end"),
    ],
)  # fmt: skip
def test_each_error_has_its_code_and_one_sentence(
    error: BaseException, code: int, sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAMIZ_DEBUG", raising=False)
    assert raising(error) == code
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", sentence)


def test_a_traceback_is_there_for_those_who_ask(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMIZ_DEBUG", "1")
    assert raising(KeyError("x")) == Exit.FAULT
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["nonsense"], id="a verb that is none"),
        pytest.param(["--nonsense"], id="an option that is none"),
        pytest.param(["catalog"], id="an argument is missing"),
        pytest.param(["catalog", "nonsense"], id="an argument out of its list"),
        pytest.param(["catalog", "layers", "--format", "yaml"], id="a format that is none"),
        pytest.param(["catalog", "layers", "1", "2"], id="an argument too many"),
        pytest.param([], id="nothing at all"),
    ],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == Exit.USAGE
    assert "Traceback" not in capsys.readouterr().err


def test_help_and_version_are_0_and_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == Exit.DONE
    assert capsys.readouterr().out.startswith("tamiz ")
    assert main(["--help"]) == Exit.DONE
    shown = capsys.readouterr()
    assert shown.err == "" and all(name in shown.out for name in VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_has_help_that_begins_as_the_list_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == Exit.DONE
    shown = " ".join(capsys.readouterr().out.split())
    assert VERBS[name].summary in shown
    assert "completion" not in shown


def test_help_imports_no_verb_and_nothing_slow() -> None:
    script = (
        "import sys; from tamiz.cli.main import main; main(['--help']); "
        "print([m for m in sys.modules if m.endswith('_cmd') or m.split('.')[0] in ('rich', 'lxml', 'oxidd')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reader_who_has_left_ends_the_run_quietly(form: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [str(TAMIZ), "catalog", "layers", "--format", form]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.stderr, done.returncode) == ("", Exit.BROKEN_PIPE)


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    done = run("catalog", "errors", "--output", str(tmp_path / "no" / "such"))
    assert (done.returncode, done.stdout) == (Exit.ENVIRONMENT, "")
    assert done.stderr == f"tamiz: {tmp_path}/no/such: cannot be written: No such file or directory\n"


def test_an_empty_home_and_a_poor_locale_will_do(tmp_path: Path) -> None:
    done = run("catalog", "layers", "stream-v4", HOME=str(tmp_path), LC_ALL="C", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


FULL = Path("/dev/full")
ANSWERS = [
    pytest.param(["catalog", "layers"], id="an answer"),
    pytest.param(["trace", "tcp-establish", "--format", "json"], id="JSON"),
    pytest.param(["--help"], id="help"),
    pytest.param(["explain", "--help"], id="a verb's help"),
]


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", ANSWERS)
def test_a_full_disk_behind_stdout_is_said(arguments: list[str]) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run([str(TAMIZ), *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == Exit.ENVIRONMENT
    assert done.stderr.startswith("tamiz: ") and done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", ANSWERS)
def test_a_reader_who_has_left_is_no_answer_that_is_no(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([str(TAMIZ), *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.stderr, done.returncode) == ("", Exit.BROKEN_PIPE)


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command, str(TAMIZ)], capture_output=True, text=True, check=False)


def test_a_closed_stdout_is_said_and_a_closed_stderr_is_silence() -> None:
    done = shell('"$0" catalog layers >&-')
    assert (done.returncode, done.stdout) == (Exit.ENVIRONMENT, "")
    assert done.stderr == "tamiz: the standard output is closed, and there is no --output\n"
    done = shell('"$0" trace tcp-establish --policy /no/such 2>&-')
    assert (done.returncode, done.stdout, done.stderr) == (Exit.INPUT, "", "")


def test_a_dash_is_stdout(tmp_path: Path) -> None:
    done = shell(f'cd {tmp_path} && "$0" catalog layers stream-v4 --output -')
    assert done.returncode == 0 and "FWPM_LAYER_STREAM_V4" in done.stdout and list(tmp_path.iterdir()) == []


def test_an_interrupt_while_the_command_is_still_being_imported_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    from tamiz.cli import main as command
    from tamiz.cli import start

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run", interrupted)
    with pytest.raises(SystemExit) as ended:
        start.run()
    assert ended.value.code == Exit.INTERRUPTED


def test_python_m_tamiz_is_the_command() -> None:
    run = [sys.executable, "-m", "tamiz", "--version"]
    assert subprocess.run(run, capture_output=True, check=True, text=True, timeout=60).stdout.startswith("tamiz ")
