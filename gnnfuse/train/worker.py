"""What a loader worker does before it loads."""

import signal


def start_worker(number: int) -> None:
    """Leave Ctrl-C and requests to end to the training process, which finishes its step before it lets workers go.

    Args:
        number: of the worker.
    """
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, signal.SIG_IGN)
