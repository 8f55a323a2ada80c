"""`doctor`: look at everything, stop at nothing."""

from collections.abc import Callable, Iterator
from importlib import import_module

from gnnfuse.diagnosis.report import Diagnosis, Finding, Section, said
from gnnfuse.observer import Observer

Look = Callable[[Callable[[str], None]], Iterator[Finding]]

# Title -> "module:function": imported one by one, as each may need what is broken.
SECTIONS = {
    "Versions": "packages:packages",
    "Devices": "devices:devices",
    "Kernels, forward and backward on 4 clips (1,552 nodes, 34,144 edges, width 256)": "kernels:kernels",
    "Media": "media:media",
    "Folders": "folders:folders",
    "Network": "network:network",
}
QUICK_SECTIONS = {
    "Versions": "packages:versions",
    "Devices": "devices:devices",
    "Folders": "folders:named_folders",
}


def doctor(*, quick: bool = False, observer: Observer | None = None) -> Diagnosis:
    """Look at versions, devices, kernels, media formats, folders and the network, and say what to do about faults.

    Takes some twenty seconds, most of it imports; the first time, when CPU kernels are compiled, twenty more.
    Nothing is changed or installed, and nothing is sent but one request for the hub's front page.

    Args:
        quick: versions, devices and folders alone: no package but torch is imported, no kernel runs, no media format
            is tried, and the hub is not asked.
        observer: receives what is being done; none by default.

    Example:
        >>> import gnnfuse
        >>> print(gnnfuse.doctor())  # doctest: +SKIP
    """
    observer, sections = Observer() if observer is None else observer, QUICK_SECTIONS if quick else SECTIONS
    found = []
    with observer.begins("checking", len(sections)) as advance:
        for title, place in sections.items():
            found.append(Section(title, _findings(place, lambda what: advance(0, note=what))))
            advance()
    return Diagnosis(tuple(found))


def _findings(place: str, tell: Callable[[str], None]) -> tuple[Finding, ...]:
    """What one section finds; where it cannot go on, what it found until then and why."""
    found: list[Finding] = []
    module, _, name = place.partition(":")
    try:
        look: Look = getattr(import_module(f"gnnfuse.diagnosis.{module}"), name)
        found.extend(look(tell))  # one by one: those before a failure stay
    except Exception as error:  # whatever is wrong on somebody's machine
        found.append(Finding(name, "broken", said(error)))
    return tuple(found)
