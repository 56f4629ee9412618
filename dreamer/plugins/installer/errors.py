"""Turns what pip, uv and pipx print when they fail into one plain sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from dreamer.errors import DreamerError

_OFFLINE = re.compile(
    "temporary failure in name resolution|name or service not known|nodename nor servname|getaddrinfo failed|"
    "failed to resolve|dns error|failed to establish a new connection|newconnectionerror|connection refused|"
    "connection timed out|connecttimeout|network is unreachable|network was disabled|error sending request|"
    "could not connect|max retries exceeded",
    re.I,
)
_UNKNOWN = re.compile(
    r"satisfies the requirement (?P<pip>\S+)(?: \(from (?!versions)(?P<who>[^)]*)\))?"
    r"|Because (?P<uv>\S+) was not found in the (?:package registry|provided package locations)"
    r"|there (?:is|are) no versions? of (?P<uv2>[\w.-]+)"
)
_WANTS = re.compile(  # each word is tried once: a stranger's package may have any name
    r"(?<![\w.-])(?P<who>[\w.-]++)(?:(?:==| |[<>~!]=?)(?P<version>\d[\w.+!]*+))? depends? on "
    r"(?P<what>[\w.-]++)(?:\[[^\]\n]*+\])?\s*+(?P<range>[<>=!~]=?[^\s,;]+(?:\s*,\s*[<>=!~]=?[^\s,;]+)*)"
)
_USEFUL = re.compile(r"error|cause|hint|conflict|depends|because|could not|failed|not found|invalid|denied", re.I)
_LAST, _LONGEST = 6, 500  # lines that are shown, letters of a line that are looked at
_NOISE = re.compile(r"^\s*(\[notice\]|WARNING: .*(retrying|notice)|note: )", re.I)


class InstallError(DreamerError):
    """An installation that is not possible, or that failed.

    `said` is the end of what the tool printed; `refused` means that nothing was changed and that a retry cannot help.
    """

    def __init__(self, sentence: str, said: tuple[str, ...] = (), *, refused: bool = False) -> None:
        super().__init__(sentence)
        self.said = said
        self.refused = refused


def explain(output: str, doing: str, held: Mapping[str, str]) -> InstallError:
    """The reason for a tool's failure.

    Args:
        output: What the tool printed.
        doing: What failed, as in "planning".
        held: Canonical name -> version of the packages that a plugin must not replace.
    """
    output = "\n".join(line[:_LONGEST] for line in output.splitlines())
    low, end = output.lower(), _end(output)
    for match in _WANTS.finditer(output):
        what = canonicalize_name(match["what"])
        if what in held and canonicalize_name(match["who"]) not in held:
            who = f"{match['who']} {match['version']}" if match["version"] else match["who"]
            return InstallError(core_refusal(what, held[what], f"{who} needs {what}{match['range']}"), refused=True)
    if _OFFLINE.search(output):
        why = ": the package index or the git address cannot be reached; check your internet connection"
    elif unknown := _UNKNOWN.search(output):
        name = unknown["pip"] or unknown["uv"] or unknown["uv2"]
        called = f"{name} (needed by {unknown['who']})" if unknown["who"] else name
        here = f" For the folder {name}, write ./{name}" if Path(name).is_dir() else ""
        sentence = f"the package index has no {called} that fits this Python; check the spelling.{here}"
        return InstallError(sentence, end, refused=True)
    elif "resolutionimpossible" in low or "no solution found" in low:
        sentence = "these plugins or their dependencies conflict with each other; the lines above say why"
        return InstallError(sentence, end, refused=True)
    elif "no space left" in low:
        why = ": no space is left on the disk"
    elif "permission denied" in low or "permissionerror" in low:
        why = ": you have no permission to change this environment; install dreamer into one of your own"
    elif "git" in low and ("could not read from remote" in low or "repository" in low or "failed to fetch" in low):
        why = ": the git address cannot be fetched; check it"
    else:
        why = "; the lines above say why"
    return InstallError(f"{doing} failed{why}", end)


def core_refusal(name: str, version: str, demand: str) -> str:
    """The sentence about a plugin that would replace one of dreamer's own packages.

    Args:
        name: The package's canonical name.
        version: The installed version.
        demand: What the plugin asks for, as in "dream-x needs torch<2".
    """
    if name == "dreamer-art":
        return f"{demand}, but dreamer-art {version} is installed; update dreamer first"
    consequence = "nothing was changed; use --allow-core-change to replace it"
    return f"{demand}, but {name} {version} is installed and dreamer relies on it: {consequence}"


def _end(output: str) -> tuple[str, ...]:
    """The last useful lines."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip() and not _NOISE.match(line)]
    useful = [line for line in lines if _USEFUL.search(line)] or lines
    return tuple(useful[-_LAST:])
