import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import layer_timing.contenders
import layer_timing.run
import layers
from gnnfuse.ops import edges_from_index, graph_attention
from layer_timing.agreement import DisagreementError, allowed_errors, check_agreement, within
from layer_timing.block import AbsentError, Block, Problem, problem
from layer_timing.contenders import CONTENDERS, REFERENCES, Contender, named
from layer_timing.dense import DenseBlock, full_attention
from layer_timing.figures import figures
from layer_timing.growth import crossing, exponent
from layer_timing.measure import interleaved
from layer_timing.ours import relation_attention
from layer_timing.plot import write_plot
from layer_timing.projections import projections, projections_plain
from layer_timing.run import Settings, time_work, with_ratios
from layer_timing.traffic import Traffic
from layer_timing.workloads import WORKS, Work, sequences

CPU = torch.device("cpu")
# Contenders name implementations that a layer may not have: it says so itself, not the check of annotations.
pytestmark = pytest.mark.usefixtures("unchecked")
TINY = Work("tiny", {"patch": (3, 2, 3), "frame": (11,), "token": (9,)}, {})
CEILINGS = {"bandwidth": 1e10, "cached_bandwidth": 1e11, "matmul": 1e11, "cache_bytes": 0.0}
SIZES: dict[str, Any] = {"dim": 12, "heads": 3}


def tiny(dtype: torch.dtype = torch.float32, samples: int = 2) -> Problem:
    return problem(TINY, samples, dtype=dtype, device=CPU, **SIZES)


@pytest.mark.parametrize(
    ("name", "nodes", "edges"),
    [
        ("clip", 388, 2 * (2 * 14 * 13 + 2 * 13 * 13) + (4 * 128 - 6) + (4 * 64 - 6) + 16 * 388),
        ("video", 3580, 32 * 2 * (2 * 7 * 6 + 2 * 6 * 6) + (4 * 1500 - 6) + (4 * 512 - 6) + 16 * 3580),
        ("long", 16_384, 20 * 16_384 - 3 * 6),
    ],
)
def test_works_have_the_stated_nodes_edges_and_relations(name: str, nodes: int, edges: int) -> None:
    batch = WORKS[name].batch(1, 4)
    assert batch.num_nodes == WORKS[name].nodes == nodes
    assert batch.edges.num_edges == edges
    assert len(batch.relations) == 9
    assert set(batch.edges.relation.tolist()) == set(range(9))


def test_every_node_has_8_different_sources_of_each_other_type() -> None:
    batch = WORKS["clip"].batch(2, 4)
    dst, src, relation = batch.edges.dst(), batch.edges.src.long(), batch.edges.relation.long()
    assert len(set((dst * batch.num_nodes + src).tolist())) == batch.edges.num_edges
    assert torch.equal(batch.graph_id[dst], batch.graph_id[src])
    crossing_types = torch.tensor([r.src != r.dst for r in batch.relations])[relation]
    per_node = torch.bincount(dst[crossing_types] * 9 + relation[crossing_types], minlength=9 * batch.num_nodes)
    assert set(per_node.tolist()) == {0, 8}
    assert int(per_node.sum()) == 16 * batch.num_nodes


def test_pictures_of_a_video_are_not_joined_with_each_other() -> None:
    batch = TINY.batch(1, 4)
    number = next(i for i, relation in enumerate(batch.relations) if relation.rule == "grid")
    chosen = batch.edges.relation == number
    first, points = batch.slices["patch"].start, 6
    ends = batch.edges.src[chosen] - first, batch.edges.dst()[chosen] - first
    assert len(ends[0]) == 3 * 2 * (2 * 2 + 3 + 2 * 2)
    assert torch.equal(ends[0] // points, ends[1] // points)


def test_a_work_is_made_smaller_for_the_check_only_as_far_as_needed() -> None:
    assert within(WORKS["clip"], 16) == (WORKS["clip"], 16)
    assert within(WORKS["clip"], 256)[1] == 16
    work, samples = within(WORKS["long"], 4)
    assert (work.nodes, samples) == (8192, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_contenders_agree(dtype: torch.dtype) -> None:
    check_agreement(CONTENDERS, TINY, 2, dtype=dtype, device="cpu", **SIZES)


def scaled(number: float, part: str) -> Any:
    """The library's attention, with an output or gradients that are wrong by a factor."""

    def make(asked: Problem, impl: str) -> Block:
        block = relation_attention(asked, "reference")
        wrong_forward = part == "output"
        return replace(
            block,
            forward=(lambda: [number * out for out in block.forward()]) if wrong_forward else block.forward,
            gradients=block.gradients if wrong_forward else [number * gradient for gradient in block.gradients],
        )

    return make


def test_few_numbers_are_judged_by_the_worst_of_their_like() -> None:
    exact = {"one": torch.tensor([100.0]), "two": torch.tensor([10.0]), "many": torch.full((20,), 50.0)}
    reference = {"one": exact["one"], "two": exact["two"] + 0.1, "many": exact["many"] + 0.2}
    found = allowed_errors(exact, reference, step=0.001)
    assert found == pytest.approx({"one": 4 * 1.0 + 0.1, "two": 4 * 0.1 + 0.01, "many": 4 * 0.2 + 0.05}, rel=1e-5)


@pytest.mark.parametrize("number", [1.0001, float("nan")])
@pytest.mark.parametrize("part", ["output", "gradients"])
@pytest.mark.parametrize("ours", [True, False])
def test_a_wrong_result_is_refused(number: float, part: str, ours: bool) -> None:
    wrong = Contender("wrong", "any", scaled(number, part), "RelationAttention", ours)
    with pytest.raises(DisagreementError, match=r"wrong \(any\) on tiny"):
        check_agreement([wrong], TINY, 2, dtype=torch.float32, device="cpu", **SIZES)


def test_nothing_is_printed_or_written_when_results_differ(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is what was right before the difference was found."""

    def wrong_on_video(asked: Problem, impl: str) -> Block:
        factor = 1.0 if asked.batch.num_graphs == 2 else 1.01
        block: Block = scaled(factor, "gradients")(asked, impl)
        return block

    wrong = Contender("gather", "torch", wrong_on_video, "RelationAttention", ours=False)
    monkeypatch.setattr(layer_timing.contenders, "CONTENDERS", (wrong,))
    small(monkeypatch)
    monkeypatch.setitem(WORKS, "video", replace(TINY, name="video", samples={"cpu": 1, "cuda": 1}))
    out = tmp_path / "result.json"
    words = ["--work", "clip", "video", "--dim", "12", "--heads", "3"]
    assert layers.main([*words, "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert not out.exists()
    assert captured.out == ""
    assert "gather (torch)" in captured.err


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKS, "clip", replace(TINY, name="clip", samples={"cpu": 2, "cuda": 2}))
    monkeypatch.setattr(layers, "Settings", partial(Settings, seconds=0))
    monkeypatch.setattr(layers, "measure_ceilings", lambda dtype, device: CEILINGS)
    monkeypatch.setattr(layer_timing.run, "peak_megabytes", lambda *_: 1.0)  # PyTorch's profiler takes most of the time


def test_the_command_writes_every_field(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small(monkeypatch)
    out, plot = tmp_path / "result.json", tmp_path / "plot.png"
    words = ["--work", "clip", "--rounds", "2", "--dim", "12", "--heads", "3", "--growth", "32", "64"]
    assert layers.main([*words, "--out", str(out), "--plot", str(plot)]) == 0
    found = json.loads(out.read_text())
    assert plot.read_bytes()[:4] == b"\x89PNG"
    assert {"processor", "cores", "threads", "gpu", "python", "packages", "commit", "date"} <= set(found["environment"])
    assert {"uncommitted_changes", "system"} <= set(found["environment"])
    rows = [row for row in found["rows"] if row["work"] == "clip"]
    assert {(row["name"], row["impl"]) for row in rows} == {(c.name, c.impl) for c in CONTENDERS}
    for row in rows:
        assert row["device"] == "cpu"
        assert row["dtype"] == "float32"
        assert (row["milliseconds"] is None) == (row["reason"] is not None)
        if row["milliseconds"] is not None:
            numbers = (
                "bytes",
                "operations",
                "fraction_of_bandwidth",
                "ratio_to_projections",
                "ratio_to_full_attention",
            )
            assert all(row[name] > 0 for name in numbers), row
            assert row["rounds"] >= 2
    reasons = {row["name"]: row["reason"] for row in rows if row["milliseconds"] is None}
    assert "backward" in reasons["flex_attention"]
    assert [row["nodes"] for row in found["rows"] if row["name"] == "full_attention"] == [TINY.nodes, 32, 64]
    assert found["growth"]["exponent"] == dict.fromkeys(found["growth"]["exponent"])  # no size from 1,024 on
    assert len(found["figures"]) == 6


def test_what_must_run_runs() -> None:
    chosen = [c for c in CONTENDERS if c.name in ("RelationAttention", "gather", "full_attention", "projections")]
    rows = time_work(
        TINY, 2, chosen, CEILINGS, Settings(device="cpu", dtype=torch.float32, rounds=1, seconds=0, **SIZES)
    )
    ran = {(row["name"], row["impl"]) for row in rows if row["milliseconds"] is not None}
    assert {("RelationAttention", "auto"), ("RelationAttention", "reference"), ("gather", "torch")} <= ran
    assert {("full_attention", "sdpa"), ("projections", "TypedLinear")} <= ran


def test_ratios_are_to_the_faster_projections() -> None:
    rows = [
        {"name": name, "milliseconds": milliseconds}
        for name, milliseconds in (("projections", 4.0), ("projections_plain", 2.0), ("gather", 6.0), ("HGT", None))
    ]
    assert [row.get("ratio_to_projections") for row in with_ratios(rows)] == [2.0, 1.0, 3.0, None]


@pytest.mark.parametrize("name", REFERENCES)
def test_gradients_flow_into_all_weights(name: str) -> None:
    members = [c for c in CONTENDERS if c.name == name and c.impl == "reference"]
    asked = tiny(torch.float64)
    try:
        results = members[0].make(asked, "reference").results()
    except AbsentError as error:
        pytest.skip(str(error))
    assert all(bool(tensor.any()) for tensor in results.values())


def test_full_attention_is_attention_along_all_pairs_within_each_sample() -> None:
    asked = tiny(torch.float64, samples=3)
    block = full_attention(asked, "sdpa")
    graph = asked.batch.graph_id
    dst, src = (graph[:, None] == graph[None]).nonzero().unbind(1)
    module = asked.module(lambda: DenseBlock(asked.dim, asked.heads))
    assert isinstance(module, DenseBlock)
    states = asked.states()
    maps = (module.query, module.key, module.value)
    query, key, value = (map_(states).unflatten(1, (asked.heads, -1)) for map_ in maps)
    edges = edges_from_index(src, dst, num_nodes=asked.batch.num_nodes)
    expected = module.output(graph_attention(query, key, value, edges, impl="reference").flatten(1))
    error = (block.results()["output"] - expected).abs().max()
    assert error <= len(states) * torch.finfo(torch.float64).eps * expected.abs().max()


def typed_linear_flops(values: Any, weights: Any, *_: Any, **__: Any) -> int:
    return int(2 * values[0] * values[1] * weights[0][0])


def typed_linear_backward_flops(grads: Any, values: Any, weights: Any, counts: Any, needs: Any, **_: Any) -> int:
    return int(needs[0] + needs[1]) * typed_linear_flops(values, weights)


def test_projections_are_the_same_work_in_both_ways() -> None:
    operations = []
    operators = torch.ops.gnnfuse
    formulas = {
        operators.typed_linear: typed_linear_flops,
        operators.typed_linear_backward: typed_linear_backward_flops,
    }
    for make in (projections, projections_plain):
        block = make(tiny(), "any")
        with FlopCounterMode(display=False, custom_mapping=formulas) as counter:
            outputs = block.forward()
        operations.append(counter.get_total_flops())
        with counter:
            block.backward(outputs)
        assert counter.get_total_flops() == 2 * operations[-1]
        assert operations[-1] == block.operations
        leaves = [*block.states, *block.parameters.values()]
        assert sum(leaf.numel() for leaf in leaves[2:]) > 0
    assert operations[0] == operations[1]


def test_bytes_are_operands_and_results_without_views() -> None:
    matrix, vector = torch.ones(5, 7), torch.ones(7)
    with Traffic() as traffic:
        product = (matrix.t().t() * vector.expand(5, 7)).view(35)
    assert product.numel() == 35
    assert traffic.bytes == 4 * (35 + 7 + 35)


def test_rounds_are_taken_in_turns() -> None:
    calls: list[str] = []

    def block(name: str) -> Block:
        leaf = torch.ones(1, requires_grad=True)

        def forward() -> list[torch.Tensor]:
            calls.append(name)
            return [leaf * 2]

        return Block([leaf], {}, forward, [torch.ones(1)], 1.0)

    times = interleaved({name: block(name) for name in "abc"}, CPU, rounds=4, seconds=0)
    assert {name: len(found) for name, found in times.items()} == dict.fromkeys("abc", 4)
    assert calls[::2] == calls[1::2]  # untimed, then timed
    timed = calls[1::2]
    assert [set(timed[start : start + 3]) for start in range(0, 12, 3)] == [set("abc")] * 4


def test_exponent_and_crossing_on_paper() -> None:
    nodes = [256, 1024, 4096, 16_384]
    assert exponent({n: 5.0 * n**1.25 for n in nodes[1:]} | {256: 1e9}) == pytest.approx(1.25)
    line, square = {n: 512.0 * n for n in nodes}, {n: 1.0 * n * n for n in nodes}
    assert crossing(line, square) == pytest.approx(512)
    assert crossing(square, line) is None
    assert crossing(dict.fromkeys(nodes, 1.0), dict.fromkeys(nodes, 2.0)) is None
    assert crossing({1: 2.0, 2: 1.0, 3: 3.0}, {1: 1.0, 2: 2.0, 3: 1.0}) is None


def test_figures_say_whether_they_are_met_only_under_their_conditions() -> None:
    def rows(samples: int) -> list[dict[str, Any]]:
        common = {"work": "clip", "samples": samples, "ratio_to_projections": 1.3}
        names = [
            ("RelationAttention", "reference", 900.0),
            ("RelationAttention", "auto", 60.0),
            ("full_attention", "sdpa", 100.0),
        ]
        return [common | {"name": name, "impl": impl, "milliseconds": time} for name, impl, time in names]

    stated = {"dim": 256, "heads": 8, "dtype": "float32", "threads": 2}
    first, second, third, *_ = (figure.result(rows(16), stated) for figure in figures("cpu"))
    assert (first["measured"], first["must_met"], first["reach_for_met"]) == (1.3, True, False)
    assert (second["measured"], second["must_met"], second["reach_for_met"]) == (0.6, True, False)
    assert (third["measured"], third["must_met"], third["note"]) == (None, None, "not measured")
    other = figures("cpu")[1].result(rows(4), stated | {"threads": 1})
    assert (other["measured"], other["must_met"]) == (0.6, None)
    assert other["note"] == "threads 1, not 2; clip x4, not x16"


@pytest.mark.parametrize(
    "words",
    [
        ["--plot", "a.png"],
        ["--only", "nobody"],
        ["--samples", "clip"],
        ["--heads", "3"],
        ["--rounds", "0"],
        ["--work", "x"],
    ],
)
def test_wrong_options_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        layers.main(words)


def test_operators_alone_are_timed_on_cuda_only_or_by_name() -> None:
    assert "op.sdpa" not in {contender.name for contender in named(None, "cpu")}
    assert "op.sdpa" in {contender.name for contender in named(None, "cuda")}
    rows = time_work(
        sequences(24, "24", {}),
        2,
        named(["op.graph_attention", "op.sdpa"], "cpu"),
        CEILINGS,
        Settings(device="cpu", dtype=torch.float32, rounds=1, seconds=0, **SIZES),
    )
    assert all(row["milliseconds"] is not None for row in rows)


def test_a_plot_needs_the_sweep(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--growth"):
        write_plot([], {}, tmp_path / "a.png")
