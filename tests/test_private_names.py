"""Names that other libraries do not document and this one needs: a release without one of them fails here by name."""

from collections.abc import Callable
from operator import attrgetter

import pytest

from gnnfuse.ops.cpu.private_names import PRIVATE_NAMES, missing_names

OF_OTHERS = {
    "torch:_C._len_torch_dispatch_stack": "whether a mode watches operators (short_way)",
    "torch:_C._are_functorch_transforms_active": "whether a transform of functions does (short_way)",
    "torch:_C._get_tracing_state": "whether a tracer does (short_way)",
    "torch:_check": "what torch.export must know of a size (token_transformer)",
    "torch:Tensor._is_view": "memory that is counted once (within_bounds)",
    "torch.autograd:forward_ad._current_level": "whether the forward mode differentiates (short_way)",
    "torch._library.custom_ops:CustomOpDef": "the type of our operators",
    "torch.nn.modules.batchnorm:_BatchNorm": "frozen encoders",
    "torch.utils._python_dispatch:TorchDispatchMode": "counting what a saved model would allocate (within_bounds)",
    "lightning.pytorch.strategies.launchers:_MultiProcessingLauncher": "what a forked training process hands back",
    "torchmetrics:Metric._apply": "metrics that keep float64",
    "safetensors.torch:_TYPES": "dtypes by their names in the file",
    "torchaudio.pipelines:WAV2VEC2_BASE._params": "the architecture of an encoder",
    "torchaudio.pipelines:WAV2VEC2_BASE._model_type": "the architecture of an encoder",
    "torchaudio.pipelines:WAV2VEC2_BASE._normalize_waveform": "the architecture of an encoder",
    "torchaudio.pipelines:WAV2VEC2_BASE._get_state_dict": "its weights without its network",
}


def operator() -> object:
    from gnnfuse.ops.attention.dense import forward

    return forward


def kernel() -> object:
    from gnnfuse.ops.neighbor_sum.numba_kernels import neighbor_max_join_kernel

    return neighbor_max_join_kernel


def graph() -> object:
    from torch_geometric.data import HeteroData

    return HeteroData()


OF_OBJECTS: dict[tuple[str, str], tuple[Callable[[], object], str]] = {
    ("torch's operators", "_init_fn"): (operator, "calling an operator's function itself (short_way)"),
    ("torch's operators", "_opoverload._schema.returns"): (operator, "what an operator returns (short_way)"),
    ("numba's kernels", "_cache._cache_path"): (kernel, "machine code on disk"),
    ("numba's kernels", "_cache._cache_file"): (kernel, "machine code on disk"),
    ("numba's kernels", "_cache._impl.filename_base"): (kernel, "machine code on disk"),
    ("numba's kernels", "_cache._impl.locator._cache_path"): (kernel, "machine code on disk"),
    ("numba's kernels", "overloads"): (kernel, "the address of machine code"),
    ("torch_geometric's HeteroData", "_global_store"): (graph, "attributes of a whole graph"),
}


@pytest.mark.parametrize("name", [*PRIVATE_NAMES, *OF_OTHERS])
def test_name_is_there(name: str) -> None:
    pytest.importorskip(name.split(".")[0].split(":")[0])
    needed_for = (PRIVATE_NAMES | OF_OTHERS)[name]
    assert not missing_names([name]), f"{name} is gone; it is needed for: {needed_for}"


@pytest.mark.parametrize(("of", "path"), OF_OBJECTS)
def test_attribute_is_there(of: str, path: str) -> None:
    make, needed_for = OF_OBJECTS[of, path]
    try:
        attrgetter(path)(make())
    except AttributeError as error:
        pytest.fail(f"{path} of {of} is gone ({error}); it is needed for: {needed_for}")
