"""Small random models of each family, saved as their libraries save them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import timm
import torch
import torchaudio
import transformers
from safetensors.torch import save_file
from timm.models import save_for_hf
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from torch import nn
from torchaudio.models import wav2vec2_model, wavlm_model
from torchaudio.pipelines import Wav2Vec2Bundle
from torchvision.models import ConvNeXt, ResNet, SwinTransformer, VisionTransformer, get_model
from torchvision.models._api import register_model
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.resnet import BasicBlock
from torchvision.models.vgg import VGG, make_layers

from gnnfuse.nodes import PretrainedAudio, PretrainedImage, PretrainedText

hugging: Any = transformers  # types its classes, not their constructors
RATE = 800
HALF = (0.5, 0.5, 0.5)
SMALL: dict[str, Any] = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
PATCHES: dict[str, Any] = {**SMALL, "image_size": 12, "patch_size": 4}
SPEECH: dict[str, Any] = {
    **SMALL,
    "conv_dim": [8, 8, 8],
    "conv_kernel": [10, 3, 2],
    "conv_stride": [5, 2, 2],
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
HOP = 20
TEXTS = ["a cat sat", "two dogs ran", "abcdefgh", "h g f e d c b a", "bad head fed cafe"]


@register_model("tiny_resnet")
def tiny_resnet(weights: object = None, **_: object) -> nn.Module:
    network: nn.Module = ResNet(BasicBlock, [1, 1, 1, 1])
    return network


@register_model("tiny_vgg")
def tiny_vgg(weights: object = None, **_: object) -> nn.Module:
    with torch.device("meta"):  # its classes alone have 120 million weights
        network: nn.Module = VGG(nn.Identity(), init_weights=False)
    network.classifier = nn.Identity()
    network.features = make_layers([8, "M", 8, "M", 8, "M"])
    return network


@register_model("tiny_convnext")
def tiny_convnext(weights: object = None, **_: object) -> nn.Module:
    network: nn.Module = ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)])
    return network


@register_model("tiny_vit")
def tiny_vit(weights: object = None, **_: object) -> nn.Module:
    shape = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 16}
    network: nn.Module = VisionTransformer(image_size=12, patch_size=4, **shape)
    return network


@register_model("tiny_swin")
def tiny_swin(weights: object = None, **_: object) -> nn.Module:
    shape = {"depths": [2, 2], "num_heads": [2, 2], "window_size": [2, 2]}
    network: nn.Module = SwinTransformer(patch_size=[2, 2], embed_dim=8, **shape)
    return network


VISION: Mapping[str, Callable[[], Any]] = {
    "vit": lambda: hugging.ViTModel(hugging.ViTConfig(**PATCHES)),
    "dinov2": lambda: hugging.Dinov2Model(hugging.Dinov2Config(**PATCHES)),
    "resnet": lambda: hugging.ResNetModel(
        hugging.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    ),
    "swin": lambda: hugging.SwinModel(
        hugging.SwinConfig(image_size=16, patch_size=2, embed_dim=8, depths=[2, 1], num_heads=[2, 2], window_size=2)
    ),
    "clip": lambda: hugging.CLIPModel(
        hugging.CLIPConfig(text_config={**SMALL, "vocab_size": 30}, vision_config=PATCHES, projection_dim=8)
    ),
}
TORCHVISION = ("tiny_resnet", "tiny_vgg", "tiny_convnext", "tiny_vit", "tiny_swin")


def torchvision_image(folder: Path, name: str, *, pth: bool = False, **arguments: Any) -> PretrainedImage:
    """A registered network with random weights in a file."""
    path = folder / (f"{name}.pth" if pth else f"{name}.safetensors")
    if not path.exists():
        state = {key: tensor.contiguous() for key, tensor in _seeded(lambda: get_model(name)).state_dict().items()}
        if pth:
            torch.save(state, path)
        else:
            save_file(state, path)
    size: dict[str, Any] = {"size": (12, 12)} if name == "tiny_vit" else {}
    return PretrainedImage(model=f"torchvision/{name}", weights=str(path), mean=HALF, std=HALF, **size, **arguments)


def transformers_image(folder: Path, kind: str, **arguments: Any) -> PretrainedImage:
    """A vision model of transformers with its processor, in a folder."""
    path = folder / f"image-{kind}"
    if not path.exists():
        _seeded(VISION[kind]).save_pretrained(path)
        hugging.ViTImageProcessor(image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4]).save_pretrained(path)
    return PretrainedImage(model=str(path), **arguments)


TIMM: Mapping[str, dict[str, Any]] = {
    "test_resnet": {},
    "test_vit": {"img_size": 64},
    "test_mambaout": {},  # its channels come last
}


def timm_image(folder: Path, name: str, **arguments: Any) -> PretrainedImage:
    """A model of timm for pictures of 64 pixels and five classes, in a folder as the hub has them."""
    path = folder / f"timm-{name}"
    if not path.exists():
        model = _seeded(lambda: timm.create_model(name, num_classes=5, **TIMM[name]), std=0.1)
        data = {"input_size": (3, 64, 64), "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)}
        save_for_hf(model, str(path), data_config=data, safe_serialization=True)
    return PretrainedImage(model=str(path), **arguments)


def _torchaudio_parameters(kind: str) -> dict[str, Any]:
    common: dict[str, Any] = {
        "extractor_mode": "layer_norm" if kind == "hubert" else "group_norm",
        "extractor_conv_layer_config": [(8, 10, 5), (8, 3, 2), (8, 2, 2)],
        "extractor_conv_bias": kind == "hubert",
        "encoder_embed_dim": 8,
        "encoder_projection_dropout": 0.1,
        "encoder_pos_conv_kernel": 4,
        "encoder_pos_conv_groups": 2,
        "encoder_num_layers": 2,
        "encoder_num_heads": 2,
        "encoder_attention_dropout": 0.1,
        "encoder_ff_interm_features": 16,
        "encoder_ff_interm_dropout": 0.1,
        "encoder_dropout": 0.1,
        "encoder_layer_norm_first": kind == "hubert",
        "encoder_layer_drop": 0.5,
        "aux_num_out": 5 if kind == "hubert" else None,
    }
    wavlm = {"encoder_num_buckets": 8, "encoder_max_distance": 16}
    return common | (wavlm if kind == "wavlm" else {})


PIPELINES = ("wav2vec2", "hubert", "wavlm")
for _kind in PIPELINES:  # as torchaudio lists its own
    _bundle = Wav2Vec2Bundle(
        _path="absent.pth",
        _params=_torchaudio_parameters(_kind),
        _sample_rate=RATE,
        _normalize_waveform=_kind == "hubert",
        _model_type="WavLM" if _kind == "wavlm" else "Wav2Vec2",
    )
    setattr(torchaudio.pipelines, f"TINY_{_kind.upper()}", _bundle)


def torchaudio_audio(folder: Path, kind: str, **arguments: Any) -> PretrainedAudio:
    """A pipeline of torchaudio with random weights in a file."""
    path = folder / f"{kind}.pth"
    if not path.exists():
        make = wavlm_model if kind == "wavlm" else wav2vec2_model
        torch.save(_seeded(lambda: make(**_torchaudio_parameters(kind))).state_dict(), path)
    return PretrainedAudio(model=f"torchaudio/TINY_{kind.upper()}", weights=str(path), **arguments)


def _whisper() -> Any:
    ids = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 1)
    config = hugging.WhisperConfig(
        d_model=8, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, vocab_size=20, num_mel_bins=8, max_source_positions=20, **ids,
    )  # fmt: skip
    return hugging.WhisperModel(config)


AUDIO: Mapping[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "wav2vec2": (
        lambda: hugging.Wav2Vec2Model(hugging.Wav2Vec2Config(**SPEECH)),
        lambda: hugging.Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=False),
    ),
    "hubert": (
        lambda: hugging.HubertModel(hugging.HubertConfig(**SPEECH)),
        lambda: hugging.Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True),
    ),
    "wavlm": (
        lambda: hugging.WavLMModel(hugging.WavLMConfig(**SPEECH, num_buckets=8, max_bucket_distance=16)),
        lambda: hugging.Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True),
    ),
    "ast": (
        lambda: hugging.ASTModel(
            hugging.ASTConfig(**SMALL, patch_size=4, max_length=24, num_mel_bins=16, frequency_stride=3, time_stride=2)
        ),
        lambda: hugging.ASTFeatureExtractor(sampling_rate=16000, num_mel_bins=16, max_length=24),
    ),
    "whisper": (
        _whisper,
        lambda: hugging.WhisperFeatureExtractor(
            feature_size=8, sampling_rate=RATE, hop_length=20, chunk_length=1, n_fft=64
        ),
    ),
}


def transformers_audio(folder: Path, kind: str, **arguments: Any) -> PretrainedAudio:
    """An audio model of transformers with its feature extractor, in a folder."""
    path = folder / f"audio-{kind}"
    if not path.exists():
        model, extractor = AUDIO[kind]
        _seeded(model).save_pretrained(path)
        extractor().save_pretrained(path)
    return PretrainedAudio(model=str(path), **arguments)


def tiny_tokenizer(*, specials: bool) -> Any:
    """Sub-words of a few texts; with special tokens around a text or without."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=40, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], initial_alphabet=list("abcdefgh")
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    if specials:
        marks = [("[CLS]", 2), ("[SEP]", 3)]
        tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    return hugging.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


LANGUAGE: Mapping[str, Callable[[], Any]] = {
    "bert": lambda: hugging.BertModel(hugging.BertConfig(**SMALL, vocab_size=40, max_position_embeddings=24)),
    "roberta": lambda: hugging.RobertaModel(
        hugging.RobertaConfig(**SMALL, vocab_size=40, max_position_embeddings=25, pad_token_id=0)
    ),
    "gpt2": lambda: hugging.GPT2Model(hugging.GPT2Config(n_embd=8, n_layer=2, n_head=2, n_positions=24, vocab_size=40)),
    "distilbert": lambda: hugging.DistilBertModel(
        hugging.DistilBertConfig(dim=8, n_layers=2, n_heads=2, hidden_dim=16, vocab_size=40)
    ),
    "electra": lambda: hugging.ElectraModel(hugging.ElectraConfig(**SMALL, embedding_size=4, vocab_size=40)),
    "t5": lambda: hugging.T5Model(
        hugging.T5Config(d_model=8, d_kv=4, num_heads=2, num_layers=2, d_ff=16, vocab_size=40, decoder_start_token_id=0)
    ),
    "albert": lambda: hugging.AlbertModel(hugging.AlbertConfig(**SMALL, embedding_size=4, vocab_size=40)),
}


def transformers_text(folder: Path, kind: str, **arguments: Any) -> PretrainedText:
    """A text model of transformers with a tokenizer, in a folder."""
    path = folder / f"text-{kind}"
    if not path.exists():
        _seeded(LANGUAGE[kind]).save_pretrained(path)
        tiny_tokenizer(specials=kind != "gpt2").save_pretrained(path)
    return PretrainedText(model=str(path), **arguments)


def _seeded(make: Callable[[], Any], std: float = 0.3) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = make()
        for parameter in made.parameters():  # far from special values, at which a mistake would not show
            nn.init.normal_(parameter, std=std)
        return made.eval()
