import torch

from gnnfuse.ops.cpu.one_block import empty_in_one_block

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


def test_every_tensor_begins_where_a_cache_line_does() -> None:
    """Last bits of matrix products depend on it."""
    kept: list[object] = []
    for length in range(1, 60):
        kept.append(bytes(length))  # so that the next block lies elsewhere
        made = empty_in_one_block([((length,), torch.float32), ((3, length), torch.int64), ((5,), torch.bool)])
        kept += made
        assert [tensor.data_ptr() % 64 for tensor in made] == [0, 0, 0]


def test_a_large_block_is_used_again_when_nothing_of_it_is_left_and_no_sooner() -> None:
    wanted = [((3 * 2**17 + 1,), torch.uint8), ((5,), torch.int64)]
    first, second = empty_in_one_block(wanted)
    first.fill_(7)
    second.fill_(7)
    where = first.data_ptr()
    del first
    others = [empty_in_one_block(wanted) for _ in range(3)]  # none of them lies where the second still does
    for tensor in (tensor for other in others for tensor in other):
        tensor.fill_(1)
    assert second.tolist() == [7] * 5
    assert where not in [tensors[0].data_ptr() for tensors in others]
    del second
    assert empty_in_one_block(wanted)[0].data_ptr() == where
