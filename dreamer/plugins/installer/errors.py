"""What pip, uv and pipx print when they fail, as a sentence for a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from dreamer.errors import DreamerError

_OFFLINE = (
    "temporary failure in name resolution",
    "name or service not known",
    "nodename nor servname",
    "getaddrinfo failed",
    "failed to resolve",
    "dns error",
    "failed to establish a new connection",
    "newconnectionerror",
    "connection refused",
    "connection timed out",
    "connecttimeout",
    "network is unreachable",
    "network was disabled",
    "error sending request",
    "could not connect",
    "max retries exceeded",
)
_UNKNOWN = re.compile(
    r"satisfies the requirement (?P<pip>\S+)(?: \(from (?!versions)(?P<who>[^)]*)\))?"
    r"|Because (?P<uv>\S+) was not found in the (?:package registry|provided package locations)"
    r"|there (?:is|are) no versions? of (?P<uv2>[\w.-]+)"
)
_WANTS = re.compile(
    r"(?P<who>[\w.-]+)(?:==| |[<>~!]=?)?(?P<version>\d[\w.+!]*)? depends? on "
    r"(?P<what>[\w.-]+)(?:\[[^\]]*\])?\s*(?P<wish>[<>=!~]=?[^\s,;]+(?:\s*,\s*[<>=!~]=?[^\s,;]+)*)"
)
_USEFUL = re.compile(r"error|cause|hint|conflict|depends|because|could not|failed|not found|invalid|denied", re.I)
_LAST, _NOISE = 6, re.compile(r"^\s*(\[notice\]|WARNING: .*(retrying|notice)|note: )", re.I)


class InstallError(DreamerError):
    """An installation that cannot be, or that failed.

    `said` is the end of what the tool printed; `refused` tells that nothing had begun and that asking anew is no use.
    """

    def __init__(self, sentence: str, said: tuple[str, ...] = (), *, refused: bool = False) -> None:
        super().__init__(sentence)
        self.said = said
        self.refused = refused


def explain(output: str, doing: str, held: Mapping[str, str]) -> InstallError:
    """The reason in the tool's output, `doing` being what failed in plain words, as in "planning"."""
    low = output.lower()
    for match in _WANTS.finditer(output):
        what = canonicalize_name(match["what"])
        if what in held and canonicalize_name(match["who"]) not in held:
            who = f"{match['who']} {match['version']}" if match["version"] else match["who"]
            return InstallError(core_refusal(what, held[what], f"{who} needs {what}{match['wish']}"), refused=True)
    if any(word in low for word in _OFFLINE):
        sentence = "the package index or the git address cannot be reached; is there a network?"
        return InstallError(f"{doing} failed: {sentence}", _end(output))
    if unknown := _UNKNOWN.search(output):
        name = unknown["pip"] or unknown["uv"] or unknown["uv2"]
        called = f"{name}, which {unknown['who']} needs, and" if unknown["who"] else f"{name}"
        here = f" The folder that lies here is written ./{name}" if Path(name).is_dir() else ""
        sentence = f"nothing called {called} that fits this Python is on the package index; is it spelt right?{here}"
        return InstallError(sentence, _end(output), refused=True)
    if "resolutionimpossible" in low or "no solution found" in low:
        sentence = "these plugins, and what they need, do not go together; the lines above say why"
        return InstallError(sentence, _end(output), refused=True)
    if "no space left" in low:
        return InstallError(f"{doing} failed: no space is left on the disk", _end(output))
    if "permission denied" in low or "permissionerror" in low:
        sentence = "this environment may not be written; install dreamer into one of your own"
        return InstallError(f"{doing} failed: {sentence}", _end(output))
    if "git" in low and ("could not read from remote" in low or "repository" in low or "failed to fetch" in low):
        return InstallError(f"{doing} failed: the git address cannot be fetched; is it right?", _end(output))
    return InstallError(f"{doing} failed; the lines above say why", _end(output))


def core_refusal(name: str, version: str, wish: str) -> str:
    """Why a plugin that would change one of dreamer's own packages is not installed."""
    if name == "dreamer-art":
        return f"{wish}, and this is dreamer-art {version}: bring dreamer itself to that version first"
    return (
        f"{wish}, but {name} {version} is installed and dreamer relies on it: nothing was changed; "
        f"--allow-core-change lets it be replaced"
    )


def _end(output: str) -> tuple[str, ...]:
    """The last useful lines."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip() and not _NOISE.match(line)]
    useful = [line for line in lines if _USEFUL.search(line)] or lines
    return tuple(useful[-_LAST:])
