"""A cache survives kills and damage: nothing wrong is ever given, and only what is missing is made again."""

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from gnnfuse.nodes import CachedNodes, CacheError, NodeSet
from gnnfuse.nodes.cached import FeatureFolder, FeatureStore, FeatureWriter
from gnnfuse.observer import Advance, Observer
from gnnfuse.reading import cache_samples
from gnnfuse.sample import Sample
from tests.long_runs import few
from tests.nodes.cached.kinds import MAKE, cached, run

TEXTS = [Sample({"text": text}, id=text) for text in ("a cat", "two dogs", "bad head", "a cat sat", "fed cafe", "cafe")]
ROWS = 20


def key(number: int) -> bytes:
    return random.Random(number).randbytes(32)


def nodes(number: int) -> NodeSet:
    count = number % 4
    values = torch.randn(count, 3, generator=torch.Generator().manual_seed(number))
    return NodeSet(values, (count,), values[:, :2], values[:, 1:], dropped=number)


NODES = [nodes(number) for number in range(ROWS)]  # made here: a forked process may not compute with torch


def open_writer(folder: Path) -> FeatureWriter:
    return FeatureWriter(FeatureFolder(folder, "f" * 64, "float32", "make it"), {}, shard_bytes=200)


def write(folder: Path) -> FeatureWriter:
    with open_writer(folder) as writer:
        for number in range(ROWS):
            writer.add(key(number), NODES[number])
    return writer


def check(folder: Path) -> None:
    store = FeatureStore(FeatureFolder(folder, "f" * 64, "float32", "make it"))
    assert len(store) == ROWS
    for number, expected in enumerate(NODES):
        row = store.find(key(number))
        assert row is not None
        assert row.readable
        assert row.values.tolist() == expected.values.flatten().tolist()
        assert (tuple(row.shape.tolist()), row.dropped) == (expected.shape, expected.dropped)
        assert expected.position is not None
        assert row.position.tolist() == expected.position.flatten().tolist()
    assert store.find(key(ROWS)) is None


def half_written(handle: int) -> None:
    """In the place of flushing: half of the file is lost."""
    if not os.path.isdir(f"/proc/self/fd/{handle}"):
        os.ftruncate(handle, os.fstat(handle).st_size // 2)


def killed_at(folder: Path, name: str, after: int, first: Callable[[Any], None]) -> bool:
    """Write in a process of its own that is killed when it calls a function of `os` once more than `after` times."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    real, calls = getattr(os, name), [0]

    def deadly(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] > after:
            first(arguments[0])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(os, name, deadly)
    try:
        write(folder)
    finally:
        os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("name", "first"), [("fsync", half_written), ("replace", lambda source: None)])
def test_a_writer_killed_anywhere_loses_its_last_shard_at_most(
    name: str, first: Callable[[Any], None], tmp_path: Path
) -> None:
    deaths = 0
    while killed_at(tmp_path / f"{deaths}", name, deaths, first):
        folder = tmp_path / f"{deaths}"
        whole = len(list(folder.glob("*/[0-9a-f]*.arrow")))
        with open_writer(folder) as writer:
            assert not writer.damaged
            before = len(writer.complete())
            assert before >= whole
            for number in range(ROWS):
                writer.add(key(number), NODES[number])
            assert writer.made == ROWS - before
        check(folder)
        assert not list(folder.glob("*/.unfinished-*"))
        deaths += 1
    assert deaths > 5, "the writer was never killed in the middle"
    check(tmp_path / f"{deaths}")


def test_a_cache_that_was_never_finished_is_not_read(tmp_path: Path) -> None:
    write(tmp_path)
    [manifest] = tmp_path.glob("*/complete.json")
    manifest.unlink()
    with pytest.raises(CacheError, match="unfinished; make or finish them with: make it"):
        check(tmp_path)
    with open_writer(tmp_path) as writer:
        assert len(writer.complete()) == ROWS
    check(tmp_path)


@pytest.mark.parametrize("seed", few(12, of=60))
def test_damage_is_never_given_out_and_is_mended(seed: int, tmp_path: Path) -> None:
    write(tmp_path)
    draw = random.Random(seed)
    path = draw.choice(sorted(path for path in tmp_path.glob("*/*") if path.name != ".lock"))
    content = bytearray(path.read_bytes())
    place = draw.randrange(len(content))
    content[place] ^= 1 << draw.randrange(8)
    path.write_bytes(content[: place + 1] if seed % 4 == 0 else content)
    with suppress(CacheError):  # a bit between the columns changes nothing
        check(tmp_path)
    write(tmp_path)
    check(tmp_path)


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    with open_writer(tmp_path), pytest.raises(CacheError, match="another process is writing"):
        open_writer(tmp_path)
    write(tmp_path)
    check(tmp_path)


def test_a_damaged_shard_is_reported_and_made_again(tiny: Path, tmp_path: Path) -> None:
    node_type = MAKE["text"](tiny)
    found = cached(node_type, tmp_path, TEXTS)
    expected = [values(found, sample) for sample in TEXTS]
    [shard] = [path for path in tmp_path.glob("*/*.arrow") if not path.name.startswith("index")]
    content = shard.read_bytes()
    at = content.find(expected[2].numpy().tobytes())
    assert at > 0
    shard.write_bytes(content[:at] + bytes(4) + content[at + 4 :])
    again = CachedNodes(of=node_type, folder=str(tmp_path))
    assert torch.equal(values(again, TEXTS[1]), expected[1])
    with pytest.raises(CacheError, match=rf"{shard.name}.*checksum.*gnnfuse cache TABLE --text-encoder"):
        again.nodes(TEXTS[2])
    with pytest.warns(UserWarning, match="1 shards did not match their checksum"):
        report = run(node_type, tmp_path, TEXTS)
    assert (report.made, report.found, len(report.damaged)) == (6, 0, 1)
    assert all(torch.equal(values(report.node_type, s), e) for s, e in zip(TEXTS, expected, strict=True))


def values(node_type: CachedNodes, sample: Sample) -> torch.Tensor:
    found = node_type.nodes(sample)
    assert found is not None
    return found.values


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples each call of a backbone had."""
    from gnnfuse.reading import cache_samples as function

    module = __import__(function.__module__, fromlist=["encode"])
    seen, real = [], module.encode

    def counting(backbone: Any, builder: Any, readings: Any, device: Any) -> Any:
        seen.append(len(readings))
        return real(backbone, builder, readings, device)

    monkeypatch.setattr(module, "encode", counting)
    return seen


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_goes_on_where_it_was_stopped(tiny: Path, tmp_path: Path, encoded: list[int], workers: int) -> None:
    node_type, rows = MAKE["text"](tiny), [*TEXTS, *TEXTS]  # each content twice

    class StopsAfterFive(Observer):
        @contextmanager
        def begins(self, what: str, total: int | None = None) -> Iterator[Advance]:
            seen: list[int] = []

            def advance(done: int = 1, *, note: str | None = None) -> None:
                seen.append(done)
                if len(seen) == 5:
                    raise KeyboardInterrupt

            yield advance

    with pytest.raises(KeyboardInterrupt):
        cache_samples(
            rows, [node_type], tmp_path, batch_size=2, workers=workers, device="cpu", observer=StopsAfterFive()
        )
    assert encoded == [2, 2]
    [report] = cache_samples(rows, [node_type], tmp_path, batch_size=2, workers=workers, device="cpu")
    assert encoded == [2, 2, 2]
    assert (report.samples, report.made, report.found) == (12, 2, 10)
    [report] = cache_samples(rows, [node_type], tmp_path, batch_size=2, workers=workers, device="cpu")
    assert encoded == [2, 2, 2]
    assert (report.made, report.found) == (0, 12)


def test_a_feature_too_large_for_half_precision_is_refused(tmp_path: Path) -> None:
    with FeatureWriter(FeatureFolder(tmp_path, "f" * 64, "float16", "make it"), {}) as writer:
        with pytest.raises(ValueError, match="too large for float16"):
            writer.add(key(0), NodeSet(torch.tensor([[1e6]]), (1,)))
        writer.add(key(1), NodeSet(torch.tensor([[float("inf")]]), (1,)))  # as the network gave it


def test_a_second_writer_is_refused_or_waits(tmp_path: Path) -> None:
    place = FeatureFolder(tmp_path, "f" * 64, "float32", "make it")
    found: list[bool] = []

    def second() -> None:
        with FeatureWriter(place, {}, wait=True) as writer:
            found.append(writer.has(key(0)))

    with open_writer(tmp_path) as first:
        with pytest.raises(CacheError, match="another process is writing there"):
            open_writer(tmp_path)
        other = threading.Thread(target=second)
        other.start()
        other.join(timeout=0.2)
        assert not found  # it waits
        first.add(key(0), NODES[0])
    other.join(timeout=30)
    assert found == [True]  # and knows what the first one made
