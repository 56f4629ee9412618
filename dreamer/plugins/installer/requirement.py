"""Parses what is to be installed: a name on the package index, a wheel, a folder or a git address."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name, parse_wheel_filename

from dreamer.errors import RecipeError, UsageError, collect_problems, reported_together
from dreamer.plugins.installer.environment import Installed
from dreamer.recipes.parsing import read_toml

_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz")
_LONGEST = 256  # letters of a file name
_KINDS = "expected a name on the package index, a wheel, a folder with a pyproject.toml, or a git address"


@dataclass(frozen=True)
class Source:
    """One thing to install: `spec` as every tool accepts it, with absolute paths; `name` if it is known beforehand."""

    spec: str
    name: str = ""

    def named(self, distributions: Mapping[str, Installed]) -> str:
        """Its canonical name, if need be that of the distribution installed from this folder or address; or empty."""
        if self.name:
            return canonicalize_name(self.name)
        here = _address(Path(self.spec).as_uri() if os.path.isabs(self.spec) else self.spec)
        for name, found in distributions.items():
            if found.origin and _address(found.origin["url"]) == here:
                return name
        return ""


def parse_sources(words: Iterable[str]) -> tuple[Source, ...]:
    """Parse each word as a source. Raises UsageError with a sentence for each that is not one."""
    sources = []
    with reported_together() as problems:
        for word in words:
            with collect_problems(problems):
                sources.append(_parse(word.strip()))
    return tuple(sources)


def _parse(word: str) -> Source:
    from packaging.requirements import InvalidRequirement, Requirement  # not for `dreamer --help`

    if git := _as_git(word):
        return Source(git)
    if "://" not in word and (word.startswith((".", "~")) or word.endswith(_ARCHIVES) or "/" in word or os.sep in word):
        return _on_disk(word)
    if word.startswith(("https://", "http://", "file://")) and word.partition("#")[0].endswith(_ARCHIVES):
        return Source(word, of_wheel(word)[0])
    try:
        return Source(word, Requirement(word).name)
    except (InvalidRequirement, RecursionError):  # parentheses in parentheses
        raise UsageError(f"{word!r}: {_KINDS}") from None


def _as_git(word: str) -> str:
    """The git address as the tools accept it; empty for anything else."""
    if word.startswith("git+"):
        return word
    if match := re.fullmatch(r"([\w.-]+@[\w.-]+):(?!/)(.+)", word):
        return f"git+ssh://{match[1]}/{match[2]}"
    path = re.split(r"[#@]", word.rpartition("/")[2])[0]
    if word.startswith(("ssh://", "git://")) or (word.startswith("https://") and path.endswith(".git")):
        return f"git+{word}"
    if re.fullmatch(r"https://(github|gitlab|codeberg|bitbucket)\.(com|org)/[\w.-]+/[\w.-]+/?", word):
        return f"git+{word.rstrip('/')}"
    return ""


def _on_disk(word: str) -> Source:
    path = Path(os.path.abspath(os.path.expanduser(word)))  # a user who does not exist has no folder
    if not path.exists():
        raise UsageError(f"{word}: there is no such file or folder")
    if path.is_dir():
        if not any((path / name).is_file() for name in ("pyproject.toml", "setup.py")):
            raise UsageError(f"{word}: this folder is not a plugin: it has no pyproject.toml; name another")
        return Source(str(path), _of_folder(path))
    if path.suffix == ".whl":
        _check_wheel(path, word)
        return Source(str(path), of_wheel(path.name)[0])
    if path.name.endswith(_ARCHIVES):
        return Source(str(path))
    raise UsageError(f"{word}: {_KINDS}")


def _check_wheel(path: Path, word: str) -> None:
    if not of_wheel(path.name)[0]:
        how = "which looks like name-version-py3-none-any.whl; undo the renaming"
        raise UsageError(f"{word}: not a wheel's name, {how}")
    try:
        with zipfile.ZipFile(path) as file:
            if not any(name.endswith(".dist-info/METADATA") for name in file.namelist()):
                raise zipfile.BadZipFile("its METADATA is missing")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:  # whatever damage leads to
        raise UsageError(f"{word}: this wheel is broken ({error}); build or download it again") from error


def of_wheel(place: str) -> tuple[str, str]:
    """Canonical name and version in a wheel's file name or address; empty for anything else."""
    try:
        called = unquote(urlsplit(place).path.rpartition("/")[2])
        name, version, _, _ = parse_wheel_filename(called if len(called) < _LONGEST else "")  # its tags multiply
    except ValueError:  # not a wheel's name, or not an address
        return "", ""
    return name, str(version)


def _of_folder(path: Path) -> str:
    try:
        name = read_toml(path / "pyproject.toml")["project"]["name"]
    except (OSError, RecipeError, KeyError, TypeError):
        return ""  # only its build knows the name, or fails with an error of its own
    return canonicalize_name(name) if isinstance(name, str) else ""


def _address(url: str) -> str:
    """An address without revision and subfolder."""
    start, slash, end = url.removeprefix("git+").partition("#")[0].rpartition("/")
    return (start + slash + end.partition("@")[0]).rstrip("/")
