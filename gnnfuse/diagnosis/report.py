"""A diagnosis: findings by section, as text and as JSON."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

Status = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Args:
        name: what was checked.
        status: "ok"; "note": works, or is not needed, but worth knowing; "broken": needed, and does not work.
        text: what was found, in a few words.
        advice: what to do about it, as an exact command where there is one.
        details: the same as values, for programs.
    """

    name: str
    status: Status
    text: str
    advice: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """Findings that belong together."""

    title: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """Everything that `doctor` found; `print` shows it, `as_json` returns it for programs.

    Example:
        >>> print(Diagnosis((Section("Versions", (Finding("torch", "broken", "missing", "pip install torch"),)),)))
        Versions
          broken  torch  missing
                         -> pip install torch
        <BLANKLINE>
        1 of 1 is broken: torch.
    """

    sections: tuple[Section, ...]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings of status "broken"."""
        return tuple(found for section in self.sections for found in section.findings if found.status == "broken")

    @property
    def healthy(self) -> bool:
        """Whether everything that is needed works."""
        return not self.broken

    def as_json(self) -> dict[str, object]:
        """The diagnosis as plain values."""
        return {"healthy": self.healthy, "sections": [asdict(section) for section in self.sections]}

    def __str__(self) -> str:
        return "\n".join([*(_lines(section) for section in self.sections), self.summary()])

    __repr__ = __str__

    def summary(self) -> str:
        """One line: whether everything works, or what is broken."""
        every = sum(len(section.findings) for section in self.sections)
        if self.healthy:
            return f"Everything that is needed works ({every} checks)."
        are = "is" if len(self.broken) == 1 else "are"
        return f"{len(self.broken)} of {every} {are} broken: {', '.join(found.name for found in self.broken)}."


def guarded(name: str, look: Callable[[], Finding]) -> Finding:
    """The finding of `look`; if it fails, a finding that reports the failure."""
    try:
        return look()
    except Exception as error:  # a broken installation may raise anything
        return Finding(name, "broken", said(error))


def said(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _lines(section: Section) -> str:
    width = max((len(found.name) for found in section.findings), default=0)
    lines = [section.title]
    for found in section.findings:
        lines.append(f"  {found.status:6}  {found.name:{width}}  {found.text}")
        if found.advice:
            lines.append(f"  {'':6}  {'':{width}}  -> {found.advice}")
    return "\n".join([*lines, ""])
