"""What the machine can do at best: the floors that times are held against."""

import torch

from layer_timing.measure import median_seconds

CACHED_BYTES = 2**23  # lies in the last cache of the processors and GPUs meant here
READ_AGAIN = 64  # so often, so that launching does not count


def measure_ceilings(dtype: torch.dtype, device: torch.device) -> dict[str, float]:
    """What it gives to a copy and to a matrix product.

    Returns:
        "bandwidth": bytes per second, read and written, of a copy larger than any cache. "cached_bandwidth": the same
        of a copy of 8 MB; on a GPU of a kernel that reads 8 MB again and again, each time on other processors, so
        that they come from its L2. "matmul": additions and multiplications per second of a square product in the dtype.
        "cache_bytes": size of a GPU's L2, 0 for processors.
    """
    cuda = device.type == "cuda"
    found = {
        "bandwidth": copy_bandwidth(2**30 if cuda else 2**28, device),
        "cached_bandwidth": cached_reads(device) if cuda else copy_bandwidth(CACHED_BYTES, device),
    }
    side = 8192 if cuda else 1024
    matrix = torch.ones(side, side, dtype=dtype, device=device)
    found["matmul"] = 2 * side**3 / median_seconds(lambda: matrix @ matrix, device)
    found["cache_bytes"] = float(torch.cuda.get_device_properties(device).L2_cache_size) if cuda else 0.0
    return found


def copy_bandwidth(size: int, device: torch.device) -> float:
    """Bytes per second, read and written."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    return 2 * size / median_seconds(lambda: target.copy_(source), device, repeats=max(1, 2**28 // size))


def cached_reads(device: torch.device) -> float:
    """Bytes per second that a GPU's processors read from its L2."""
    from layer_timing.read_kernel import BLOCK, read_again_kernel

    chunks = CACHED_BYTES // 4 // BLOCK
    source, sums = torch.zeros(chunks * BLOCK, device=device), torch.empty(chunks, device=device)
    seconds = median_seconds(lambda: read_again_kernel[(chunks,)](source, sums, chunks, READ_AGAIN), device)
    return CACHED_BYTES * READ_AGAIN / seconds
