"""Pretrained networks as node encoders, frozen: pictures through one of torchvision, texts through one of transformers.

With a network at hand the two lines that matter are

    PretrainedImage(model="torchvision/resnet50")
    PretrainedText(model="FacebookAI/roberta-base")

and weights are fetched once and kept. This example makes small models of its own, so that it needs nothing.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from torchvision.models import squeezenet1_1

from gnnfuse.edges import Complete, Grid, Window
from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import Hub, PretrainedImage, PretrainedText
from gnnfuse.sample import Sample
from gnnfuse.saving import from_pretrained, save_pretrained
from gnnfuse.tasks import Classification

TEXTS = {"red": "a red picture", "blue": "a blue picture"}


def make_models(folder: Path) -> None:
    """What would come from a hub: weights of a SqueezeNet, and a BERT of two layers with its tokenizer."""
    save_file(squeezenet1_1().state_dict(), folder / "squeezenet.safetensors")
    library: Any = transformers  # types its classes, not their constructors
    words = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordPieceTrainer(vocab_size=100, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    words.train_from_iterator(TEXTS.values(), trainer)
    marks = [("[CLS]", 2), ("[SEP]", 3)]
    words.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    library.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]").save_pretrained(folder / "bert")
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    library.BertModel(library.BertConfig(vocab_size=100, **small)).save_pretrained(folder / "bert")


def make_samples(count: int) -> list[Sample]:
    """Pictures of different sizes in two colours, each with its text."""
    samples = []
    for number in range(count):
        color = ("red", "blue")[number % 2]
        picture = torch.rand(3, 32 + 8 * (number % 3), 48) * 0.5
        picture[0 if color == "red" else 2] += 0.5
        samples.append(Sample({"image": picture, "text": TEXTS[color]}, target=color))
    return samples


def main() -> None:
    torch.manual_seed(0)
    with TemporaryDirectory() as name:
        folder = Path(name)
        make_models(folder)
        image = PretrainedImage(model="torchvision/squeezenet1_1", weights=str(folder / "squeezenet.safetensors"))
        text = PretrainedText(model=str(folder / "bert"))
        rules = [Grid(), Window(), Complete(name="to_hub", dst="hub"), Complete(name="of_hub", src="hub")]
        builder = GraphBuilder([image, text, Hub()], rules, target=ClassTarget(("blue", "red")))
        model = GraphFusion(builder.node_types, builder.relations, dim=32, depth=1)
        task = Classification(model, builder)
        batch = task.builder(make_samples(16))
        print({name: list(values.shape) for name, values in batch.values.items()})

        trained = [parameter for parameter in task.parameters() if parameter.requires_grad]
        print(
            f"{sum(p.numel() for p in trained):,} of {sum(p.numel() for p in task.parameters()):,} numbers are trained"
        )
        optimizer = torch.optim.AdamW(trained, lr=3e-3)
        for step in range(10):
            losses = task.losses(task.step(batch))
            loss = torch.stack(list(losses.values())).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if step % 3 == 0:
                print(f"step {step}: loss {loss.item():.3f}")

        features = image.backbone()(batch.values["image"], batch.layout["image"])
        print(f"features to keep: {list(features.shape)}, under {image.fingerprint()[:12]}")
        save_pretrained(task, folder / "saved")  # with the networks' weights and the tokenizer
        again = from_pretrained(folder / "saved")
        assert isinstance(again, Classification)
        print([prediction.label for prediction in again.predict(make_samples(4))])


if __name__ == "__main__":
    main()
