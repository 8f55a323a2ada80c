"""Data sets: the default task, which works offline, and loaders for real data in a folder."""

from gnnfuse.data.av_digits import av_digits_pairs, av_digits_questions
from gnnfuse.data.ceilings import Outcome, ceilings
from gnnfuse.data.dataset import Dataset
from gnnfuse.data.digits import digits
from gnnfuse.data.held_out import HeldOut
from gnnfuse.data.lazy_samples import LazySamples
from gnnfuse.data.mosi import mosi_utterances
from gnnfuse.data.picture_words import picture_words
from gnnfuse.data.sample_stream import SampleStream
from gnnfuse.data.shared_folder import DataError

__all__ = [
    "DataError",
    "Dataset",
    "HeldOut",
    "LazySamples",
    "Outcome",
    "SampleStream",
    "av_digits_pairs",
    "av_digits_questions",
    "ceilings",
    "digits",
    "mosi_utterances",
    "picture_words",
]
