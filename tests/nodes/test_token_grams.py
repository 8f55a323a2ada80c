"""Runs of tokens, counted by hand."""

from collections import Counter

import torch
from torch import Tensor

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import TextTokens
from gnnfuse.nodes.token_grams import TokenGrams
from gnnfuse.sample import Sample

BUCKETS = 1 << 16  # so many that these few runs do not meet


def grams(*texts: str, node_type: TextTokens | None = None, longest: int = 4) -> Tensor:
    node_type = node_type or TextTokens()
    batch = GraphBuilder([node_type])([Sample({"text": text}) for text in texts])
    found: Tensor = TokenGrams(BUCKETS, longest=longest)(batch.values["text"], batch.layout["text"])
    return found


def test_each_run_has_a_bucket_and_counts_become_logarithms_of_length_one() -> None:
    runs = Counter(["|", "a", "a", "|", "|a", "aa", "a|"])  # "|" marks both ends
    expected = 1 + torch.tensor([float(count) for count in runs.values()]).log()
    found = grams("aa", longest=2)[0]
    assert torch.allclose(found[found > 0].sort().values, (expected / expected.norm()).sort().values)


def test_texts_that_share_runs_are_nearer() -> None:
    walk, talk, other = grams("walking", "talking", "a house")
    assert walk @ talk > 0.3 > walk @ other


def test_the_end_of_a_text_is_no_neighbour_of_the_next_text() -> None:
    assert torch.equal(grams("ab", "cd")[0], grams("ab", "xy")[0])
    assert torch.equal(grams("ab", "cd")[0], grams("ab")[0])


def test_order_counts_and_so_does_the_place_at_an_end() -> None:
    assert not torch.equal(*grams("abc", "cba"))
    one, other = grams("xab", "abx", longest=2)
    assert one @ other < 1


def test_upper_case_counts_as_lower_case_for_bytes_only() -> None:
    node_type = TextTokens()
    batch = GraphBuilder([node_type])([Sample({"text": text}) for text in ("Das HAUS", "das haus", "das maus")])
    upper, lower, other = node_type.summary()(batch.values["text"], batch.layout["text"])
    assert torch.equal(upper, lower)
    assert not torch.equal(lower, other)


def test_tokens_that_share_a_node_count_like_any_others() -> None:
    pooled = TextTokens(max_nodes=3, overflow="pool")
    assert torch.equal(grams("abcdefg", node_type=pooled), grams("abcdefg"))


def test_a_text_without_letters_is_present() -> None:
    assert grams("", "a").isfinite().all()
