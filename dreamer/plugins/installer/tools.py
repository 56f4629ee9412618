"""The tools that can install into the environment that dreamer runs in, and the choice among them."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packaging.utils import canonicalize_name

from dreamer.errors import RecipeError
from dreamer.plugins.installer import process
from dreamer.plugins.installer.environment import Place, installed, is_plugin
from dreamer.plugins.installer.errors import InstallError, explain
from dreamer.plugins.installer.plan import Plan, from_report, from_uv, held_versions
from dreamer.plugins.installer.requirement import Source
from dreamer.plugins.installer.uv_receipt import NAME as RECEIPT
from dreamer.plugins.installer.uv_receipt import Receipt, Requirement, from_origin
from dreamer.recipes.parsing import parse_json

METADATA = "pipx_metadata.json"
OnLine = Callable[[str], None]
Held = Mapping[str, str]


class Tool(Protocol):
    """Plans, installs and uninstalls; every method raises InstallError if it fails."""

    @property
    def name(self) -> str:
        """The tool's usual name."""

    def plan(self, sources: Sequence[Source], held: Held) -> Plan:
        """The changes that installing would make while the `held` versions stay; nothing is changed yet."""

    def install(self, sources: Sequence[Source], held: Held, on_line: OnLine) -> None:
        """Install all sources; `on_line` gets each line that the tool prints."""

    def uninstall(self, names: Sequence[str], on_line: OnLine) -> None:
        """Uninstall distributions; `on_line` gets each line that the tool prints."""


class _PipLike(ABC):
    """Base of pip and uv, whose commands have the same form."""

    @abstractmethod
    def _command(self, verb: str) -> list[str]:
        """The command up to its verb and the options that it always has."""

    def install(self, sources: Sequence[Source], held: Held, on_line: OnLine) -> None:
        with _constraints(held) as file:
            _do(self._install(sources, file), "installing", held, on_line)

    def uninstall(self, names: Sequence[str], on_line: OnLine) -> None:
        _do([*self._command("uninstall"), *names], "uninstalling", {}, on_line)

    def _install(self, sources: Sequence[Source], constraints: Path, *options: str) -> list[str]:
        return [*self._command("install"), "--constraint", str(constraints), *options, *_specs(sources)]


@dataclass(frozen=True)
class Pip(_PipLike):
    """pip of the environment's own Python, always as a process, because pip has no API for importing it."""

    python: str
    extra: tuple[str, ...] = ()
    name: str = "pip"

    def plan(self, sources: Sequence[Source], held: Held) -> Plan:
        with _constraints(held) as file:
            report = file.with_name("report.json")
            _do(self._install(sources, file, "--dry-run", "--report", str(report)), "planning", held)
            try:
                return from_report(json.loads(report.read_text(encoding="utf-8")), installed())
            except (OSError, ValueError, RecursionError) as error:
                raise InstallError(f"pip's plan cannot be read ({error}); pip 22.2 or newer is needed") from error

    def _command(self, verb: str) -> list[str]:
        return [self.python, "-m", "pip", verb, "--yes" if verb == "uninstall" else "--no-input", *self.extra]


@dataclass(frozen=True)
class Uv(_PipLike):
    """uv, for an environment without pip."""

    uv: str
    python: str
    extra: tuple[str, ...] = ()
    name: str = "uv"

    def plan(self, sources: Sequence[Source], held: Held) -> Plan:
        with _constraints(held) as file:
            return from_uv(_do(self._install(sources, file, "--dry-run"), "planning", held), installed())

    def _command(self, verb: str) -> list[str]:
        return [self.uv, "pip", verb, "--python", self.python, *self.extra]


@dataclass(frozen=True)
class UvTool:
    """An environment made by `uv tool`, which is rebuilt from its receipt: a plugin must be listed there to stay."""

    uv: str
    place: Place
    name: str = "uv tool"

    def plan(self, sources: Sequence[Source], held: Held) -> Plan:
        receipt = self._receipt()
        with _own_files(receipt) as words:
            return Uv(self.uv, self.place.python, (*receipt.options, *words)).plan(sources, held)

    def install(self, sources: Sequence[Source], held: Held, on_line: OnLine) -> None:
        receipt, there = self._receipt(), installed()
        new = {name for source in sources if (name := source.named(there))}
        others = [r for r in self._others(receipt) if r.name not in new]
        self._rebuild(receipt, [*others, *(Requirement(s.name, s.spec) for s in sources)], held, on_line, "installing")

    def uninstall(self, names: Sequence[str], on_line: OnLine) -> None:
        receipt, gone = self._receipt(), {canonicalize_name(name) for name in names}
        others = [requirement for requirement in self._others(receipt) if requirement.name not in gone]
        self._rebuild(receipt, others, held_versions(installed()), on_line, "uninstalling")

    def _receipt(self) -> Receipt:
        return Receipt.read(self.place.prefix / RECEIPT)

    def _others(self, receipt: Receipt) -> list[Requirement]:
        """Everything to install with the tool, including plugins that the receipt lacks: a rebuild would drop them."""
        known = {requirement.name for requirement in receipt.requirements}
        unlisted = [found for name, found in installed().items() if is_plugin(found) and name not in known]
        return [*receipt.requirements[1:], *map(from_origin, unlisted)]

    def _rebuild(
        self, receipt: Receipt, others: Sequence[Requirement], held: Held, on_line: OnLine, doing: str
    ) -> None:
        """Run `uv tool install` twice: uv writes constraints into the receipt, where they would pin torch for ever.

        The second run, without them, changes only the receipt, since uv prefers the installed versions.
        """
        main = receipt.requirements[0]
        words = [self.uv, "tool", "install", *(["--editable"] if main.editable else []), main.spec]
        for requirement in others:
            plain = "--with-executables-from" if requirement.name in receipt.executables else "--with"
            words += ["--with-editable" if requirement.editable else plain, requirement.spec]
        # Without the current Python, uv may pick a newer one and start from scratch.
        words += [*receipt.options, "--python", receipt.python or self.place.version]
        commands = {"UV_TOOL_BIN_DIR": receipt.commands} if receipt.commands else {}
        environment = {"UV_TOOL_DIR": str(self.place.prefix.parent), **commands}
        with _constraints(held) as file, _own_files(receipt) as own:
            _do([*words, *own, "--constraints", str(file)], doing, held, on_line, environment)
            _do([*words, *own], doing, held, None, environment)


@dataclass(frozen=True)
class Pipx:
    """An environment made by pipx, which records injected packages and restores them when it is rebuilt."""

    pipx: str
    place: Place
    planner: Pip | Uv
    name: str = "pipx"

    def plan(self, sources: Sequence[Source], held: Held) -> Plan:
        return self.planner.plan(sources, held)

    def install(self, sources: Sequence[Source], held: Held, on_line: OnLine) -> None:
        with _constraints(held) as file:
            # Not with --pip-args, which pipx would store although the file is deleted afterwards.
            own = os.environ.get("PIP_CONSTRAINT", ""), os.environ.get("UV_CONSTRAINT", "")
            # As an address, since pip and uv take a blank for the end of a name.
            pip, uv = (" ".join(filter(None, (theirs, file.as_uri()))) for theirs in own)
            environment = {**self._home(), "PIP_CONSTRAINT": pip, "UV_CONSTRAINT": uv}
            # pipx skips what it has injected before; its --force would download torch again with every plugin.
            there = installed()
            again = [name for source in sources if (name := source.named(there)) in self._injected()]
            commands = [["uninject", "--leave-deps", self.place.prefix.name, *again]] if again else []
            for command in (*commands, ["inject", self.place.prefix.name, *_specs(sources)]):
                _do([self.pipx, *command], "installing", held, on_line, environment)

    def uninstall(self, names: Sequence[str], on_line: OnLine) -> None:
        command = [self.pipx, "uninject", self.place.prefix.name, *names]
        _do(command, "uninstalling", {}, on_line, self._home())

    def _injected(self) -> set[str]:
        try:
            text = (self.place.prefix / METADATA).read_text(encoding="utf-8")
            return {canonicalize_name(name) for name in parse_json(text, "it")["injected_packages"]}
        except (OSError, ValueError, KeyError, TypeError, RecipeError) as error:
            raise InstallError(
                f"{self.place.prefix / METADATA}: pipx's metadata cannot be read ({error}); "
                "run `pipx reinstall dreamer-art`"
            ) from error

    def _home(self) -> dict[str, str]:
        folder = self.place.prefix.parent
        return {"PIPX_HOME": str(folder.parent)} if folder.name == "venvs" else {}


def choose(
    place: Place,
    request: Sequence[str],
    held: Held,
    *,
    anyway: bool = False,
    which: Callable[[str], str | None] = process.find_program,
) -> Tool:
    """Choose the tool for an environment.

    Args:
        place: The environment.
        request: The command that follows `pip`, as in `install dream-x`, for the error's advice.
        held: Canonical name -> version of the packages to keep.
        anyway: Install even if conda or the operating system manages the environment.
        which: Finds a program on the PATH.

    Raises:
        InstallError: There is no tool for it; says which command to run by hand instead.
    """
    named = os.environ.get("UV", "")  # set by uv itself for what it runs
    uv = which("uv") or (named if os.path.isabs(named) else "")
    breaking = ("--break-system-packages",) if place.keeper == "the system" else ()
    plain = Pip(place.python, breaking) if place.pip else Uv(uv, place.python, breaking) if uv else None
    if (place.prefix / RECEIPT).is_file():
        if not uv:
            raise _no_tool("uv made this environment, but is not on the PATH", [])
        return UvTool(uv, place)
    if (place.prefix / METADATA).is_file():
        pipx, verb = which("pipx"), "inject" if request[0] == "install" else "uninject"
        if not pipx or not plain:
            missing = "pipx" if not pipx else "uv"
            command = ["pipx", verb, place.prefix.name, *request[1:]]
            raise _no_tool(f"pipx made this environment, but {missing} is not on the PATH", command)
        return Pipx(pipx, place, plain)
    if place.keeper and not anyway:
        kept = held.items() if request[0] == "install" else ()
        pins = [f"{name}=={version}" for name, version in kept if name != "dreamer-art"]
        command = [place.python, "-m", "pip", *request, *breaking, *pins]
        raise _no_tool(f"{place.keeper} manages this Python; use --anyway to install into it", command)
    if not plain:
        raise _no_tool(f"{place.python} has no pip, and uv is not on the PATH; `python -m ensurepip` installs pip", [])
    return plain


def _no_tool(why: str, command: Sequence[str]) -> InstallError:
    sentence = f"{why}. To do it yourself: {shlex.join(command)}" if command else why
    return InstallError(sentence, refused=True)


def _do(
    command: Sequence[str],
    doing: str,
    held: Held,
    on_line: OnLine | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a command and return what it printed; raises InstallError if it fails."""
    try:
        # uv reads the settings of the folder that it runs in, and git those of a repository around it.
        ran = process.run(command, environment, on_line, Path(sys.prefix))
    except OSError as error:
        raise InstallError(f"{doing} failed: {command[0]} cannot be started ({error.strerror})") from error
    if ran.code:
        raise explain(ran.output, doing, held)
    return ran.output


@contextmanager
def _constraints(held: Held) -> Iterator[Path]:
    """A temporary constraints file with the held versions, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="dreamer-") as folder:
        file = Path(folder) / "constraints.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in held.items()), encoding="utf-8")
        yield file


@contextmanager
def _own_files(receipt: Receipt) -> Iterator[tuple[str, ...]]:
    """Arguments with the constraints and overrides that the user gave uv for this tool, in temporary files."""
    with tempfile.TemporaryDirectory(prefix="dreamer-") as folder:
        words: list[str] = []
        for flag, lines in (("--constraints", receipt.constraints), ("--overrides", receipt.overrides)):
            if lines:
                file = Path(folder) / f"{flag.strip('-')}.txt"
                file.write_text("\n".join(lines), encoding="utf-8")
                words += [flag, str(file)]
        yield tuple(words)


def _specs(sources: Sequence[Source]) -> list[str]:
    return [source.spec for source in sources]
