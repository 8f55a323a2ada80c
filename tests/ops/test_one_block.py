import torch

from gnnfuse.ops.one_block import empty_in_one_block

DTYPES = [torch.float64, torch.bfloat16, torch.bool, torch.int64, torch.float16, torch.uint8, torch.complex64]


def test_tensors_of_one_block_do_not_touch_each_other() -> None:
    wanted = [((length, 3), dtype) for length in (0, 1, 5, 31) for dtype in DTYPES]
    found = empty_in_one_block(wanted)
    for place, tensor in enumerate(found):
        tensor.fill_(place % 2)
    for place, (tensor, (shape, dtype)) in enumerate(zip(found, wanted, strict=True)):
        assert (tuple(tensor.shape), tensor.dtype) == (shape, dtype)
        assert torch.equal(tensor, torch.full(shape, place % 2, dtype=dtype))
        assert tensor.is_contiguous()
        assert tensor.untyped_storage().nbytes() == tensor.nbytes


def test_nothing_wanted() -> None:
    for dtype in DTYPES:
        (found,) = empty_in_one_block([((0, 3), dtype)])
        assert (tuple(found.shape), found.dtype) == ((0, 3), dtype)
    assert empty_in_one_block([]) == []
