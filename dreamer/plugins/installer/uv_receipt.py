"""Reads uv's receipt of a tool's environment and turns it into arguments of `uv tool install`.

uv rebuilds such an environment at every change, so anything missing from the arguments is lost: the source of the
tool, the packages installed with it, the indexes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from dreamer.errors import RecipeError
from dreamer.plugins.installer.environment import Installed
from dreamer.plugins.installer.errors import InstallError
from dreamer.recipes.parsing import read_toml

NAME = "uv-receipt.toml"
_RENAMED = {"index-url": "--default-index", "extra-index-url": "--index"}
_KEPT = (  # keys of `[tool.options]`; the others are rare, and uv's own configuration sets them again
    *("index-url", "extra-index-url", "find-links", "no-index", "index-strategy", "keyring-provider", "prerelease"),
    *("resolution", "exclude-newer", "torch-backend", "no-build-isolation"),
)


@dataclass(frozen=True)
class Requirement:
    """One package of a receipt: `spec` as uv accepts it, or the folder of an editable one."""

    name: str
    spec: str
    editable: bool = False


@dataclass(frozen=True)
class Receipt:
    """The contents of a receipt; the first requirement is the tool itself."""

    requirements: tuple[Requirement, ...]
    options: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    python: str = ""
    executables: tuple[str, ...] = ()
    """Packages other than the tool whose commands are exposed."""
    commands: str = ""
    """The folder of the commands."""

    @classmethod
    def read(cls, path: Path) -> Receipt:
        """Read a receipt; raises InstallError if that fails."""
        try:
            tool = read_toml(path)["tool"]
            requirements = tuple(_requirement(entry) for entry in tool["requirements"])
            entrypoints = tool.get("entrypoints", [])
            froms = {canonicalize_name(entry["from"]) for entry in entrypoints if "from" in entry}
            return cls(
                requirements,
                tuple(_options(tool.get("options", {}))),
                tuple(_requirement(entry).spec for entry in tool.get("constraints", [])),
                tuple(_requirement(entry).spec for entry in tool.get("overrides", [])),
                tool.get("python", ""),
                tuple(sorted(froms - {requirements[0].name})),
                next((str(Path(entry["install-path"]).parent) for entry in entrypoints), ""),
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecipeError) as error:
            raise InstallError(
                f"{path}: uv's receipt of this environment cannot be read ({error}); reinstall dreamer-art"
            ) from error


def from_origin(found: Installed) -> Requirement:
    """The requirement that reinstalls a distribution: its folder, wheel or git address, or its version on the index."""
    name = canonicalize_name(found.name)
    if not found.origin:
        return Requirement(name, f"{found.name}=={found.version}")
    url, vcs = found.origin["url"], found.origin.get("vcs_info")
    if found.origin.get("dir_info", {}).get("editable"):
        return Requirement(name, url, editable=True)
    if vcs:
        url = f"{vcs['vcs']}+{url}@{vcs.get('requested_revision') or vcs['commit_id']}"
    folder = f"#subdirectory={found.origin['subdirectory']}" if found.origin.get("subdirectory") else ""
    return Requirement(name, f"{found.name} @ {url}{folder}")


def _requirement(entry: Mapping[str, Any]) -> Requirement:
    name = canonicalize_name(entry["name"])
    extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
    if "editable" in entry:
        return Requirement(name, entry["editable"] + extras, editable=True)
    if folder := entry.get("directory") or entry.get("path"):
        place = f" @ {Path(folder).absolute().as_uri()}"
    elif "git" in entry:
        place = f" @ {_git(entry['git'])}"
    else:
        place = f" @ {entry['url']}" if "url" in entry else entry.get("specifier", "")
    marker = f" ; {entry['marker']}" if entry.get("marker") else ""
    return Requirement(name, f"{entry['name']}{extras}{place}{marker}")


def _git(url: str) -> str:
    """`https://host/repo?rev=main&subdirectory=a` as `git+https://host/repo@main#subdirectory=a`."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    plain = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    revision = next((query[key] for key in ("rev", "tag", "branch") if key in query), "")
    subfolder = f"#subdirectory={query['subdirectory']}" if "subdirectory" in query else ""
    return f"git+{plain}{'@' + revision if revision else ''}{subfolder}"


def _options(options: Mapping[str, Any]) -> Iterator[str]:
    pairs = []
    for index in options.get("index", []):
        named = f"{index['name']}={index['url']}" if index.get("name") else index["url"]
        pairs.append(("--default-index" if index.get("default") else "--index", named))
    for key in _KEPT:
        flag, value = _RENAMED.get(key, f"--{key}"), options.get(key)
        if value is True:
            pairs.append((flag, ""))
        elif isinstance(value, (str, list)):
            pairs += [(flag, str(one)) for one in ([value] if isinstance(value, str) else value)]
    for flag, value in dict.fromkeys(pairs):  # without duplicates: uv adds those of its configuration every time
        yield from (flag, value) if value else (flag,)
