"""The command `tamiz`: a table of verbs, each in its own module, imported when it is asked for.

A verb's module has one function of the verb's name, whose parameters are its options (`tamiz.cli.options`) and whose
docstring is its help. It makes a document, hands it to `tamiz.cli.output.emit`, and raises `typer.Exit` for an answer
that is no. To add a verb, add its module and its row here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from tamiz.cli.exits import guarded


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb is, and what the list of verbs says of it."""

    module: str
    summary: str
    function: str


VERBS: Final[Mapping[str, Verb]] = {
    "trace": Verb("tamiz.cli.trace_cmd", "Run a scenario between two hosts and show every layer met.", "trace"),
    "replay": Verb("tamiz.cli.replay_cmd", "Walk the packets of captures through a policy, as one host.", "replay"),
    "explain": Verb("tamiz.cli.explain_cmd", "Explain what a policy does with one connection, and why.", "explain"),
    "catalog": Verb("tamiz.cli.catalog_cmd", "Show what Windows itself brings: layers, conditions, errors.", "catalog"),
}

PLAIN: Final[dict[str, Any]] = {"add_completion": False, "rich_markup_mode": None}


class _Commands(MutableMapping[str, Any]):
    """The verbs' commands by name; a module is imported when its command is looked up."""

    def __getitem__(self, name: str) -> Any:
        verb = VERBS[name]
        holder = typer.Typer(**PLAIN)
        holder.command(name)(getattr(import_module(verb.module), verb.function))
        return typer.main.get_command(holder)

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)

    def __setitem__(self, name: str, command: Any) -> None:
        raise TypeError("verbs are rows of VERBS")

    def __delitem__(self, name: str) -> None:
        raise TypeError("verbs are rows of VERBS")


class _Verbs(TyperGroup):
    """The group of all verbs; its help does not import them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items()])


app = typer.Typer(
    cls=_Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"]},
    **PLAIN,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tamiz {version('tamiz')}")
        raise typer.Exit


@app.callback()
def tamiz(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The Windows Filtering Platform, anywhere.

    Exit codes: 0 done; 1 the answer is no; 2 usage; 3 an input cannot be read; 4 this machine lacks something;
    70 a fault of tamiz.
    """


def main(arguments: list[str]) -> int:
    """Run `tamiz ARGUMENTS`; the exit code."""
    command = typer.main.get_command(app)
    return guarded(lambda: command.main(args=arguments, prog_name="tamiz"))


def run() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
