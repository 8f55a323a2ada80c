"""Whether the Hugging Face hub can be reached, asked so that nothing hangs."""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

from gnnfuse.diagnosis.report import Finding, guarded, said

SECONDS = 4.0


def network(tell: Callable[[str], None]) -> Iterator[Finding]:
    """One finding: the hub."""
    tell("asking the hub")
    yield guarded("hub", _hub)


def _hub() -> Finding:
    from huggingface_hub import constants

    address = constants.ENDPOINT
    offline = "pretrained weights and data sets come from local folders and caches only"
    if constants.HF_HUB_OFFLINE:
        return Finding("hub", "note", f"offline mode is set: {offline}", "unset HF_HUB_OFFLINE", {"offline": True})
    failed = _asked(address)
    details = {"offline": False, "address": address, "reachable": not failed}
    if failed:
        advice = "HF_HUB_OFFLINE=1 says so to every library, and saves waiting"
        return Finding("hub", "note", f"{address} cannot be reached ({failed}): {offline}", advice, details)
    return Finding("hub", "ok", f"{address} answers", details=details)


def _asked(address: str) -> str:
    """Why there was no answer; empty where there was one.

    On a thread that may be left behind: a timeout does not cover the look-up of a name.
    """
    outcome: list[str] = []

    def ask() -> None:
        request = urllib.request.Request(address, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                outcome.append("")
        except urllib.error.HTTPError:
            outcome.append("")  # an answer all the same
        except Exception as error:  # name, route, certificate, proxy
            outcome.append(said(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS + 1)
    return outcome[0] if outcome else f"no answer in {SECONDS:.0f} s"
