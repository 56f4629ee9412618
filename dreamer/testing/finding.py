"""The result of checking one thing that a plugin registers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check, as a sentence: `kind` is what was checked, as in "prior", and `name` its name.

    `ok` is True if it keeps its contract, False if it breaks it, and None if it could not be checked here.
    """

    kind: str
    name: str
    ok: bool | None
    sentence: str

    @property
    def verdict(self) -> str:
        """`ok`, `broken` or `not tried`."""
        return {True: "ok", False: "broken", None: "not tried"}[self.ok]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.sentence}"


def broken(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that report a broken contract."""
    return [finding for finding in findings if finding.ok is False]
