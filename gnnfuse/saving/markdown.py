"""Users' names in Markdown, escaped so that they are shown unchanged."""

import re

MARKUP = re.compile(r"[\\`*\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_])")


def plain(text: object) -> str:
    """A text on one line with its markup escaped; also fit for a table cell.

    Example:
        >>> plain("a_name | <b>not bold</b>")
        'a_name \\\\| \\\\<b\\\\>not bold\\\\</b\\\\>'
    """
    return MARKUP.sub(r"\\\g<0>", one_line(text))


def code(text: object) -> str:
    """A text on one line in a code span; not for a table cell.

    Example:
        >>> code("size"), code("a `b`")
        ('`size`', '`` a `b` ``')
    """
    line = one_line(text) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence}{line}{fence}" if len(fence) == 1 else f"{fence} {line} {fence}"


def one_line(text: object) -> str:
    """A text without line breaks and repeated spaces."""
    return " ".join(str(text).split())
