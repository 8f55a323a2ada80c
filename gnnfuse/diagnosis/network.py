"""Whether the Hugging Face hub can be reached; waits for a few seconds at most."""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

from gnnfuse.diagnosis.report import Finding, guarded, said

SECONDS = 4.0


def network(tell: Callable[[str], None]) -> Iterator[Finding]:
    """One finding: the hub."""
    tell("contacting the hub")
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
        advice = "export HF_HUB_OFFLINE=1  (libraries then do not wait for the hub)"
        return Finding("hub", "note", f"{address} cannot be reached ({failed}): {offline}", advice, details)
    return Finding("hub", "ok", f"{address} answers", details=details)


def _asked(address: str) -> str:
    """Why the hub did not answer; empty if it did.

    Runs on a thread that may outlive the call: a timeout does not cover the look-up of a name.
    """
    outcome: list[str] = []

    def ask() -> None:
        request = urllib.request.Request(address, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                outcome.append("")
        except urllib.error.HTTPError:
            outcome.append("")  # this is an answer too
        except Exception as error:  # name, route, certificate, proxy
            outcome.append(said(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS + 1)
    return outcome[0] if outcome else f"no answer in {SECONDS:.0f} s"
