"""A tokenizer made from the training texts: whole words where they are frequent, bytes elsewhere."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def train_tokenizer(texts: Iterable[str], *, vocabulary: int = 600) -> "PreTrainedTokenizerBase":
    """A byte-level byte-pair encoding (Sennrich et al., 2016; Radford et al., 2019), determined by its texts.

    Args:
        texts: texts of the training split.
        vocabulary: number of tokens, including the 256 bytes.

    Raises:
        ValueError: the vocabulary is too small for the bytes.

    Example:
        >>> tokenizer = train_tokenizer(["which digit is it?"] * 10, vocabulary=300)
        >>> tokenizer.decode(tokenizer.encode("which is it?")).strip()
        'which is it?'
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if vocabulary < len(alphabet):
        raise ValueError(f"vocabulary must be at least {len(alphabet)}, found {vocabulary}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    made: PreTrainedTokenizerBase = PreTrainedTokenizerFast(tokenizer_object=tokenizer)  # type: ignore[no-untyped-call]
    return made
