"""`doctor`: check everything; no failure ends it."""

from collections.abc import Callable, Iterator
from importlib import import_module

from gnnfuse.diagnosis.report import Diagnosis, Finding, Section, said
from gnnfuse.observer import Observer, or_silent

Look = Callable[[Callable[[str], None]], Iterator[Finding]]

# Title -> "module:function": imported one by one, because each may need a broken package.
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
    """Check versions, devices, kernels, media formats, folders and the network, and report faults with remedies.

    Takes about twenty seconds, mostly for imports, and twenty more the first time, when CPU kernels are compiled.
    Changes and installs nothing, and sends nothing but one request for the hub's front page.

    Args:
        quick: check only versions, devices and folders: import no package but torch, run no kernel, try no media
            format, and do not contact the hub.
        observer: receives progress; none by default.

    Example:
        >>> import gnnfuse
        >>> print(gnnfuse.doctor())  # doctest: +SKIP
    """
    observer, sections = or_silent(observer), QUICK_SECTIONS if quick else SECTIONS
    found = []
    with observer.begins("checking", len(sections)) as advance:
        for title, place in sections.items():
            found.append(Section(title, _findings(place, lambda what: advance(0, note=what))))
            advance()
    return Diagnosis(tuple(found))


def _findings(place: str, tell: Callable[[str], None]) -> tuple[Finding, ...]:
    """The findings of one section; if it fails, those before the failure, and the failure."""
    found: list[Finding] = []
    module, _, name = place.partition(":")
    try:
        look: Look = getattr(import_module(f"gnnfuse.diagnosis.{module}"), name)
        found.extend(look(tell))  # one by one: those before a failure stay
    except Exception as error:  # a broken installation may raise anything
        found.append(Finding(name, "broken", said(error)))
    return tuple(found)
