"""The small random models of the tests of pretrained encoders."""

from tests.nodes.pretrained.conftest import _offline as _offline
from tests.nodes.pretrained.conftest import tiny as tiny
