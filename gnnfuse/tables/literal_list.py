"""Lists that are spelled out in a cell, as Python, JSON and numpy write them."""

import ast
import json
import re

from gnnfuse.sample.class_name import LONGEST

ITEM = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"""
    r"""|(?P<word>true|false|none|null|nan)""",
    re.IGNORECASE,
)
GAP = re.compile(r"\s*,\s*|\s+")
WORDS = {"true": True, "false": False, "none": None, "null": None, "nan": None}
BRACKETS = {"[": "]", "(": ")", "{": "}"}


def literal_list(text: str) -> list[object] | None:
    """The entries of a list, tuple or set that a text spells out; None for any other text. Nothing is evaluated.

    Entries are texts in quotes, numbers, true, false and none (null, nan) in any case, separated by commas or spaces
    (numpy writes no commas). A tuple has a comma: "(a)" and "(1)" are names.

    Example:
        >>> literal_list("['red', 'big']"), literal_list("[true, null]"), literal_list("[0. 1.]"), literal_list("red")
        (['red', 'big'], [True, None], [0.0, 1.0], None)
    """
    text = text.strip()
    if text == "set()":
        return []
    if len(text) < 2 or BRACKETS.get(text[0]) != text[-1]:
        return None
    body = text[1:-1].strip()
    if text[0] == "(" and body and "," not in body:
        return None
    entries: list[object] = []
    place = 0
    while place < len(body):
        found = ITEM.match(body, place)
        if found is None:
            return None
        entries.append(_entry(found))
        gap = GAP.match(body, found.end())
        if gap is None and found.end() < len(body):
            return None
        place = len(body) if gap is None else gap.end()
    return entries


def _entry(found: "re.Match[str]") -> object:
    if found["word"] is not None:
        return WORDS[found["word"].lower()]
    if found["number"] is not None:
        return _number(found["number"])
    try:
        return json.loads(found["text"])
    except ValueError:
        return _unquoted(found["text"])


def _number(digits: str) -> object:
    bare = digits.lstrip("+-")
    if not bare.isdigit():
        return float(digits)
    padded = len(bare) > 1 and bare[0] == "0"  # "007" is a name
    return digits if padded or len(bare) > LONGEST else int(digits)


def _unquoted(text: str) -> str:
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):  # invalid escapes
        return text[1:-1]
