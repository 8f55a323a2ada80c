"""Whether the cells of a column name files: existing ones with any suffix, or only apparent paths."""

import base64
import re
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gnnfuse.sample.files import shown
from gnnfuse.sample.foreign import foreign, foreign_name
from gnnfuse.tables.media_kinds import kind_of_bytes, kind_of_name
from gnnfuse.tables.media_path import URL, MediaFolder

LOOK = 100  # different cells whose files are examined
HEAD = 512  # bytes read of each
MOSTLY = 0.8  # share of the cells that name something, or of the existing files
LONGEST = 4096  # characters of a path
NUMBERS = re.compile(r"[\d./:+-]+")  # dates, fractions, versions
PATH = re.compile(  # from a root, with several separators, or with a suffix or a padded or long number after the last
    r"(~?[/\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\]).+|[\w.-]+([/\\][\w.-]*){2,}"
    r"|[\w.-]+[/\\]([\w.-]*\.[A-Za-z]\w{1,7}|0\d+|\d{5,})"
)
BASE64 = re.compile(r"[A-Za-z0-9+/]{64,}")
ENCODED = re.compile(r"[A-Za-z0-9+/]{64,}={0,2}")
UPPER, LOWER = 0.2, 0.1  # minimum shares of upper and lower case letters in base64; words have fewer capitals
DATA_URI = re.compile(r"data:[\w.+-]*/?[\w.+-]*(;[\w=-]+)*;base64,")
CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
KINDS = {"image": "pictures", "audio": "recordings", "text": "texts"}
AS_TEXT = "name it as text to use the cells unchanged"


@dataclass(frozen=True)
class NamedFiles:
    """What the cells of a column name.

    Args:
        looked: number of different cells examined.
        counts: how many of them name a file of a readable kind ("image", "audio", "text") or another ("other"), look
            like a path without a file ("missing"), are a URL ("url"), base64 of media ("base64") or of other bytes
            ("encoded").
        examples: for each of these, a cell and why it cannot be read.
        folder: the folder of media, as messages name it.
    """

    looked: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)
    folder: str = ""

    @property
    def kind(self) -> str | None:
        """The kind of files that the column names; None if most cells name nothing or the kinds are mixed.

        Cells whose file is missing do not count: reading them raises an error that names the file.
        """
        files = self.counts["image"] + self.counts["audio"] + self.counts["text"] + self.counts["other"]
        best = max(KINDS, key=lambda kind: self.counts[kind])
        return best if self._named and files and self.counts[best] >= MOSTLY * files else None

    @property
    def reason(self) -> str:
        """Why the column is of its kind, or cannot be an input; empty if most cells name nothing."""
        if not self._named:
            return ""
        if self.kind is not None:
            found = f"{self._count(self.kind)} name files that are {KINDS[self.kind]} by their first bytes"
            missing = self.looked - self.counts[self.kind]
            return found + (f"; {missing} name no file" if missing else "")
        most = max((kind for kind in self.counts if kind not in KINDS), key=lambda kind: self.counts[kind], default="")
        if not most:
            return f"cells name files of several kinds, {self._count('image')} pictures; split the column by kind"
        cell, why = self.examples[most]
        found = f"{self._count(most)} {WORDS[most]}, such as {shown(cell, 60)}"
        return f"{found}: {why}" if why else f"{found}; {ADVICE[most].format(folder=self.folder)}; or {AS_TEXT}"

    @property
    def _named(self) -> bool:
        return self.looked > 0 and self.counts.total() >= MOSTLY * self.looked

    def _count(self, kind: str) -> str:
        return f"{self.counts[kind]} of {self.looked} different cells"


WORDS = {
    "other": "name files that cannot be read",
    "missing": "look like paths of missing files",
    "url": "are URLs, which are never fetched",
    "base64": "are base64 of media",
    "encoded": "are base64 of bytes of an unknown kind",
}
ADVICE = {
    "missing": "expected files in {folder} (media=, --media)",
    "url": "download the files, name them in the table and give their folder (media=, --media)",
    "base64": "decode them into files, or into a column of bytes",
    "encoded": "decode them into the pictures, recordings, texts or numbers that they hold",
}


def named_files(cells: Iterable[object], media: MediaFolder) -> NamedFiles:
    """Examine what up to 100 different texts among the cells name. Only files within the folder are opened.

    Example:
        >>> named_files(["dog/1.m4a", "dog/2.m4a"], MediaFolder(None)).kind is None
        True
    """
    different = list(dict.fromkeys(cell.strip() for cell in cells if isinstance(cell, str)))[:LOOK]
    counts, examples = Counter[str](), dict[str, tuple[str, str]]()
    for cell in different:
        kind, why = _named(cell, media)
        if kind:
            counts[kind] += 1
            examples.setdefault(kind, (cell, why))
    slashed = counts.pop("slashed", 0)
    if slashed and any(counts[kind] for kind in (*KINDS, "other")):  # beside existing files, these are paths too
        counts["missing"] += slashed
        examples.setdefault("missing", examples["slashed"])
    return NamedFiles(len(different), counts, examples, media.described)


def _named(cell: str, media: MediaFolder) -> tuple[str, str]:
    """The kind of thing that a cell names (empty for an ordinary text), and why it cannot be read, if so.

    "slashed" is a cell such as "and/or": an ordinary text unless the column names files.
    """
    if _is_base64(cell):
        return "base64", ""
    if _is_encoded(cell):
        return "encoded", ""
    if len(cell) > LONGEST or "\n" in cell:
        return "", ""
    spaces = bool(re.search(r"\s", cell))
    if URL.match(cell) and not spaces:
        return "url", ""
    path = media.resolve(cell)
    head = _head(path) if isinstance(path, Path) else None
    if head is not None:
        kind = kind_of_bytes(head) or ("text" if _is_text(head, cell) else "other")
        return kind, "" if kind != "other" else foreign(head) or foreign_name(cell) or _unknown(head)
    if kind_of_name(cell) is not None or foreign_name(cell) is not None:
        return "missing", foreign_name(cell) or ""
    if spaces or not ("/" in cell or "\\" in cell) or NUMBERS.fullmatch(cell):
        return "", ""
    return "missing" if PATH.fullmatch(cell) else "slashed", ""


def _head(path: Path) -> bytes | None:
    """The first bytes of a non-empty ordinary file; None if there is none."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            return file.read(HEAD) or None
    except (OSError, ValueError):
        return None


def _is_text(head: bytes, name: str) -> bool:
    if foreign(head) is not None or foreign_name(name) is not None or CONTROL.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) == HEAD and error.start > HEAD - 4  # a truncated character
    return True


def _unknown(head: bytes) -> str:
    return f"files of an unknown kind, which begin with the bytes {head[:4].hex(' ')}"


def _is_base64(cell: str) -> bool:
    if DATA_URI.match(cell[:200]):
        return True
    if not BASE64.match(cell[:64]):
        return False
    head = base64.b64decode(cell[:64])
    return (kind_of_bytes(head) or foreign(head)) is not None


def _is_encoded(cell: str) -> bool:
    """Whether a cell's characters are those of long base64, not of a hexadecimal hash, a DNA sequence or a path."""
    if len(cell) % 4 or not ENCODED.fullmatch(cell):
        return False
    start = cell[:HEAD]
    upper, lower = (sum(map(kind, start)) for kind in (str.isupper, str.islower))
    return upper >= UPPER * len(start) and lower >= LOWER * len(start) and any(map(str.isdigit, start))
