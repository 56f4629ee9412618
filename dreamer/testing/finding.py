"""What came out of trying one thing that a plugin brings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One sentence about one thing: `kind` as in "prior", and its `name`.

    `ok` is True for what keeps its contract, False for what breaks it, and None for what could not be tried here.
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
    """Those that break a contract."""
    return [finding for finding in findings if finding.ok is False]
