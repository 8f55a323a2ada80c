"""What several test files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data that GNNFUSE_DATA names; tests that need it are skipped without it."""
    folder = os.environ.get("GNNFUSE_DATA")
    if not folder:
        pytest.skip("GNNFUSE_DATA is not set: no folder of real data")
    return Path(folder)
