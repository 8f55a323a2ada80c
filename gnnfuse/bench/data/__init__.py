"""The data sets used only by benchmarks, read from a folder."""

from gnnfuse.bench.data.av_digits import av_digits_pairs, av_digits_questions
from gnnfuse.bench.data.mosi import mosi_utterances
from gnnfuse.bench.data.picture_words import picture_words
from gnnfuse.bench.data.shared_folder import DataError

__all__ = ["DataError", "av_digits_pairs", "av_digits_questions", "mosi_utterances", "picture_words"]
