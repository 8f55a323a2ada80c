import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import NodeSet, PretrainedText
from gnnfuse.sample import Sample, SignalError
from tests.nodes.pretrained.tiny_models import LANGUAGE, tiny_tokenizer, transformers_text

TEXT = "a b c d e"


def nodes_of(node_type: PretrainedText, text: str) -> NodeSet:
    nodes = node_type.nodes(Sample({"text": text}, id="seven"))
    assert nodes is not None
    return nodes


def features_of(node_type: PretrainedText, *texts: str) -> torch.Tensor:
    batch = GraphBuilder([node_type])([Sample({"text": text}) for text in texts])
    features: torch.Tensor = node_type.backbone()(batch.values["text"], batch.layout["text"])
    return features


def states_of(node_type: PretrainedText, text: str) -> torch.Tensor:
    """What transformers itself gives, special tokens included."""
    tokenizer, model = AutoTokenizer.from_pretrained(node_type.model), AutoModel.from_pretrained(node_type.model)
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    with torch.no_grad():
        states: torch.Tensor = model(input_ids=ids).last_hidden_state[0]
    return states


@pytest.mark.parametrize("kind", LANGUAGE)
def test_the_features_are_those_of_transformers_own_model(kind: str, tiny: Path) -> None:
    expected = states_of(transformers_text(tiny, kind), TEXT)
    kept = features_of(transformers_text(tiny, kind, special_tokens="keep"), TEXT)
    torch.testing.assert_close(kept, expected)
    dropped = features_of(transformers_text(tiny, kind, special_tokens="drop"), TEXT)
    torch.testing.assert_close(dropped, expected if kind == "gpt2" else expected[1:-1])


@pytest.mark.parametrize("kind", LANGUAGE)
def test_texts_of_all_lengths_in_one_batch_get_what_they_get_alone(kind: str, tiny: Path) -> None:
    node_type = transformers_text(tiny, kind)
    backbone = node_type.backbone().double()
    texts = ["a", "b a d", "", "a b c d e f g h a b c d e", "cat", "d o g s"]
    batch = GraphBuilder([node_type])([Sample({"text": text}) for text in texts])
    together = backbone(batch.values["text"], batch.layout["text"])
    for place, text in enumerate(texts):
        one = GraphBuilder([node_type])(Sample({"text": text}))
        alone = backbone(one.values["text"], one.layout["text"])
        torch.testing.assert_close(together[batch.graph_id == place], alone, rtol=1e-12, atol=1e-12)


def test_special_tokens_are_nodes_only_when_kept(tiny: Path) -> None:
    assert nodes_of(transformers_text(tiny, "bert"), "a b").num_nodes == 2
    kept = nodes_of(transformers_text(tiny, "bert", special_tokens="keep"), "a b")
    assert kept.values[[0, -1]].tolist() == [2, 3]
    assert kept.num_nodes == 4
    assert nodes_of(transformers_text(tiny, "bert"), "").num_nodes == 0
    assert nodes_of(transformers_text(tiny, "bert", special_tokens="keep"), "").num_nodes == 2


@pytest.mark.parametrize(("special_tokens", "nodes"), [("drop", 4), ("keep", 4)])
def test_truncating_keeps_the_first_tokens_and_the_special_ones(special_tokens: Any, nodes: int, tiny: Path) -> None:
    cut = nodes_of(transformers_text(tiny, "bert", special_tokens=special_tokens, max_nodes=4), "a b c d e f")
    assert cut.num_nodes == nodes
    if special_tokens == "keep":
        assert cut.values[[0, -1]].tolist() == [2, 3]
        assert cut.dropped == 4
    else:
        assert cut.dropped == 2


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_a_text_longer_than_the_network_takes_is_cut_or_refused(kind: str, tiny: Path) -> None:
    long = " ".join("abcdefgh"[i % 8] for i in range(40))
    room = 24 if kind == "gpt2" else 22  # of 24 positions, less [CLS] and [SEP]
    cut = nodes_of(transformers_text(tiny, kind), long)
    assert (cut.num_nodes, cut.dropped) == (room, 40 - room)
    assert len(features_of(transformers_text(tiny, kind), long)) == room
    for overflow in ("raise", "pool"):
        with pytest.raises(SignalError, match=f"signal 'text': found 40 tokens, expected at most {room}, which"):
            nodes_of(transformers_text(tiny, kind, overflow=overflow), long)


def test_a_pooled_node_has_the_mean_state_of_its_tokens(tiny: Path) -> None:
    plain = transformers_text(tiny, "bert")
    pooled = dataclasses.replace(plain, max_nodes=2, overflow="pool", max_pool=3)
    one, other = features_of(plain, "a b c d e"), features_of(plain, "f g")
    expected = torch.stack([one[:3].mean(dim=0), one[3:].mean(dim=0), other[0], other[1]])
    torch.testing.assert_close(features_of(pooled, "a b c d e", "f g"), expected)
    with pytest.raises(SignalError, match="found 7 nodes, expected at most 6"):
        nodes_of(pooled, "a b c d e f g")


def test_another_tokenizer_may_be_given_or_named(tiny: Path, tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer(specials=False)
    tokenizer.save_pretrained(tmp_path / "other")
    for given in (tokenizer, str(tmp_path / "other")):
        node_type = transformers_text(tiny, "bert", tokenizer=given, special_tokens="keep")
        assert nodes_of(node_type, "a b").num_nodes == 2
        assert node_type.token_texts(nodes_of(node_type, "a b").values) == ["a", "b"]


def test_checkpointing_changes_memory_and_no_number(tiny: Path) -> None:
    gradients = []
    for checkpointing in (False, True):
        node_type = transformers_text(tiny, "bert", frozen=False, gradient_checkpointing=checkpointing)
        backbone = node_type.backbone().train()
        for part in backbone.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        saved: list[torch.Tensor] = []

        def keep(tensor: torch.Tensor, kept: list[torch.Tensor] = saved) -> torch.Tensor:
            kept.append(tensor)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            batch = GraphBuilder([node_type])([Sample({"text": text}) for text in ("a b c", "d e")])
            features = backbone(batch.values["text"], batch.layout["text"])
        features.square().sum().backward()
        gradients.append(([p.grad for p in backbone.parameters() if p.requires_grad], len(saved)))
    (plain, more), (checkpointed, less) = gradients
    assert less < more
    for one, other in zip(plain, checkpointed, strict=True):
        torch.testing.assert_close(one, other)


def test_checkpointing_that_cannot_be_is_refused(tiny: Path) -> None:
    with pytest.raises(ValueError, match="gradient_checkpointing needs frozen=False"):
        transformers_text(tiny, "bert", gradient_checkpointing=True)


def test_missing_tensors_are_refused_unless_no_state_depends_on_them(tiny: Path, tmp_path: Path) -> None:
    model = BertModel(
        BertConfig(vocab_size=40, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    )
    state = model.state_dict()
    for lost, message in (
        ("pooler.dense.weight", None),
        ("encoder.layer.0.output.dense.weight", "missing: model.encoder"),
    ):
        folder = tmp_path / lost
        kept = {key: tensor for key, tensor in state.items() if key != lost}
        model.save_pretrained(folder, state_dict=kept)
        tiny_tokenizer(specials=True).save_pretrained(folder)
        if message is None:
            PretrainedText(model=str(folder)).backbone()
            continue
        with pytest.raises(ValueError, match=message):
            PretrainedText(model=str(folder)).backbone()


def test_numbers_out_of_range_are_refused(tiny: Path) -> None:
    with pytest.raises(ValueError, match="max_nodes=2 leaves no room"):
        transformers_text(tiny, "bert", max_nodes=2, special_tokens="keep")
    with pytest.raises(ValueError, match="max_pool must be at least 1"):
        transformers_text(tiny, "bert", max_pool=0)


@pytest.mark.parametrize("kind", LANGUAGE)
def test_a_loaded_model_is_apart_from_the_file_of_its_weights(kind: str, tiny: Path) -> None:
    """It lies where all tensors lie, as last bits depend on addresses, and a file written anew does not change it."""
    node_type = transformers_text(tiny, kind)
    backbone = node_type.backbone()
    before = [parameter.clone() for parameter in backbone.parameters()]
    file = Path(node_type.model) / "model.safetensors"
    kept = file.read_bytes()
    try:
        with file.open("r+b") as weights:
            weights.seek(-64, 2)
            weights.write(bytes(64))
        after = list(backbone.parameters())
        assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
        assert {parameter.data_ptr() % 64 for parameter in after} == {0}
    finally:
        file.write_bytes(kept)


def test_a_tokenizer_with_ids_above_the_vocabulary(tiny: Path) -> None:
    """torch would say "index out of range" without a word on what."""
    node_type = transformers_text(tiny, "bert")
    assert node_type.architecture is not None
    network: Any = node_type.architecture.network
    smaller = dataclasses.replace(network, config={**network.config, "vocab_size": 5})
    mixed = dataclasses.replace(node_type, architecture=dataclasses.replace(node_type.architecture, network=smaller))
    with pytest.raises(ValueError, match=r"returns the token id \d+, which .* with a vocab_size of 5 lacks"):
        mixed.nodes(Sample({"text": "two dogs ran"}))
