"""`fit` with members: what is held out is not seen, what fails is left out, and the saved blend answers alike."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gnnfuse.catalog import listed
from gnnfuse.fusion import PooledStates
from gnnfuse.nodes import Features, TextTokens
from gnnfuse.observer import Observer
from gnnfuse.sample import Sample
from gnnfuse.saving import from_pretrained
from gnnfuse.tables import ColumnOptions, guess_columns, open_table
from gnnfuse.tasks import Blend, Classification, MultiLabel, Regression, Task
from gnnfuse.workflow import FitOptions, default_config, embed, fit, predict
from gnnfuse.workflow.fit_request import FitRequest
from gnnfuse.workflow.members import neural
from gnnfuse.workflow.members.fit_members import fit_members
from gnnfuse.workflow.members.member import Member
from gnnfuse.workflow.members.table_members import table_members
from gnnfuse.workflow.members.table_rows import member_rows
from gnnfuse.workflow.table_plan import TablePlan, plan_table

SMALL = default_config(epochs=2, device="cpu")
COLUMNS = ColumnOptions(text="word", features=["size"], target="label")
COLORS = ("red", "blue", "green")


def table(rows: int = 60) -> list[dict[str, object]]:
    """Words that name a colour in two of three rows, and sizes that tell it roughly; every fifth size is missing."""
    draw = np.random.default_rng(0)
    found: list[dict[str, object]] = []
    for row in range(rows):
        color = row % 3
        word = f"a {COLORS[color]} thing" if row % 9 < 6 else "some thing"
        size = None if row % 5 == 0 else round(float(color + draw.normal(scale=0.3)), 3)
        found.append({"word": word, "size": size, "label": COLORS[color]})
    return found


def options(*members: str, **more: object) -> FitOptions:
    return FitOptions(members=members, dim=8, depth=1, **more)  # type: ignore[arg-type]


def plan_of(chosen: FitOptions) -> TablePlan:
    opened = open_table(table())
    columns = guess_columns(opened, COLUMNS).columns
    return plan_table(
        FitRequest(table=opened.reading(columns), columns=columns, options=chosen, config=SMALL, observer=Observer())
    )


class Memory(Member):
    """Knows by heart the rows that it learnt from, and answers at random for others."""

    def __init__(self, plan: TablePlan) -> None:
        self.name = "memory"
        self.plan = plan

    def fit(self, rows: Sequence[int], run: str) -> Task:
        """A task that has the rows' own targets as answers."""
        task = self.plan.task
        graphs = member_rows(self.plan).graphs
        known: dict[str | None, int] = {}
        for row in rows:
            target = graphs[row].target
            assert target is not None
            known[graphs[row].id] = int(target)
        return _Remembering(task, known)


class _Remembering(Classification):
    def __init__(self, task: Task, known: dict[str | None, int]) -> None:
        super().__init__(PooledStates.of(task.builder), task.builder)
        self.known = known

    def forward(self, batch: object) -> Tensor:
        ids: Sequence[str] = batch.ids  # type: ignore[attr-defined]
        return torch.tensor([[20.0 * (self.known.get(each) == place) for place in range(3)] for each in ids])


def test_answers_are_of_fits_that_have_not_seen_the_row() -> None:
    plan = plan_of(options("linear", folds=3))
    rows = member_rows(plan)
    fitted = fit_members(plan, [Memory(plan)], rows)
    assert torch.allclose(fitted.members["memory"].answers, torch.tensor(1 / 3))
    assert fitted.metrics()["log_loss"] == pytest.approx(math.log(3), rel=1e-5)


class Failing(Member):
    """Fails in its second fold."""

    name = "failing"

    def fit(self, rows: Sequence[int], run: str) -> Task:
        """Raise."""
        raise ValueError(f"{len(rows)} rows do not suit")

    def make(self) -> Task:
        """Raise, as torch does."""
        raise RuntimeError("found no memory")


def test_a_member_that_fails_is_left_out_with_its_reason() -> None:
    plan = plan_of(options("linear", folds=3))
    rows = member_rows(plan)
    fitted = fit_members(plan, [Failing(), Memory(plan)], rows)
    assert dict(fitted.failed) == {"failing": f"{len(rows.learnt_in(0))} rows do not suit"}
    assert list(fitted.blend.members) == ["memory"]
    with pytest.raises(ValueError, match=r"failing: .* rows do not suit"):
        fit_members(plan, [Failing()], rows)


def test_the_graph_has_edges_after_a_model_without() -> None:
    plan = plan_of(options("concat", "graph", folds=2))
    members = table_members(plan, member_rows(plan), Path("unused"), resume=False)
    assert [member.name for member in members] == ["concat", "graph"]
    graph = members[1]
    assert isinstance(graph, neural.NeuralMember)
    assert graph.make().builder([Sample({"word": "a red thing"})]).edges


def test_members_of_a_preset_that_read_no_signal_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for node_type in (Features, TextTokens):
        monkeypatch.setattr(node_type, "summary", lambda self: None)
    preset = plan_of(FitOptions(dim=8, depth=1))
    members = table_members(preset, member_rows(preset), Path("unused"), resume=False)
    assert [member.name for member in members] == ["graph"]
    named = plan_of(options("graph", "linear"))
    with pytest.raises(ValueError, match="no node type with a summary"):
        table_members(named, member_rows(named), Path("unused"), resume=False)


def test_a_model_per_signal_is_a_member_each(tmp_path: Path) -> None:
    rows = [{"a.b": row["word"], **row} for row in table()]
    columns = replace(COLUMNS, text=["a.b", "word"])
    fitted = fit(rows, out=tmp_path, columns=columns, options=options("unimodal", folds=1), config=SMALL)
    names = [each.name for each in fitted.outcome.members]
    assert sorted(names) == ["unimodal:a_b", "unimodal:features", "unimodal:word"]
    assert not any(each.failed for each in fitted.outcome.members)


def test_members_without_parameters_are_saved_and_predict(tmp_path: Path) -> None:
    fit(table(), out=tmp_path / "model", columns=COLUMNS, options=options("trees", folds=2), config=SMALL)
    predict(tmp_path / "model", table(3), out=tmp_path / "answers.csv", device="cpu")
    assert len(written(tmp_path / "answers.csv")) == 3


def test_a_member_whose_model_cannot_be_made_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(member: neural.NeuralMember) -> None:
        member.make, member.reports = Failing().make, {}

    monkeypatch.setattr(neural.NeuralMember, "__post_init__", failing)
    chosen = options("graph", "linear", folds=1)
    fitted = fit(table(), out=tmp_path, columns=COLUMNS, options=chosen, config=SMALL)
    assert [each.name for each in fitted.outcome.members if each.failed == "found no memory"] == ["graph"]


def written(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_blend_is_saved_and_answers_for_rows_that_lack_anything(tmp_path: Path) -> None:
    fitted = fit(
        table(),
        out=tmp_path / "model",
        columns=COLUMNS,
        options=options("graph", "linear", "trees", folds=2),
        config=SMALL,
    )
    names = [each.name for each in fitted.outcome.members]
    assert names == ["graph", "linear", "linear:features", "linear:word", "linear added", "trees"]
    results = json.loads((tmp_path / "model" / "results.json").read_text())
    shares = {each["name"]: each["weight"] for each in results["members"]}
    assert sum(shares.values()) == pytest.approx(1)
    assert set(results["metrics"]) == {"out_of_fold", "test"}
    for each in results["members"]:
        assert set(each["metrics"]) == {"out_of_fold", "test"}
        assert f"`{each['name']}`" in (tmp_path / "model" / "report.md").read_text()
    loaded = from_pretrained(tmp_path / "model")
    assert isinstance(loaded, Classification)
    assert isinstance(loaded.model, Blend)
    rows: list[dict[str, object]] = [{"word": "a red thing"}, {"word": "", "size": 2.1}, {"word": "", "size": None}]
    predict(tmp_path / "model", rows, out=tmp_path / "answers.csv", device="cpu")
    predict(tmp_path / "model", [{"word": each["word"]} for each in rows], out=tmp_path / "without.csv", device="cpu")
    found, without = written(tmp_path / "answers.csv"), written(tmp_path / "without.csv")
    assert found[0]["prediction"] == "red"
    assert found[0] == without[0]
    for row in found:
        assert sum(float(row[f"probability_{name}"]) for name in COLORS) == pytest.approx(1, abs=1e-5)
    embed(tmp_path / "model", rows, out=tmp_path / "vectors.npy", device="cpu")
    assert np.load(tmp_path / "vectors.npy").shape == (3, 8)


def test_a_blend_without_a_trained_member_embeds_summaries(tmp_path: Path) -> None:
    fitted = fit(table(), out=tmp_path, columns=COLUMNS, options=options("linear", folds=2), config=SMALL)
    assert fitted.report is None
    assert fitted.metrics["out_of_fold"]["accuracy"] > 0.6


@pytest.mark.parametrize(
    ("target", "kind", "metric"),
    [("size", Regression, "r2"), (["red", "blue"], MultiLabel, "micro_f1")],
)
def test_numbers_and_labels_have_members_too(target: object, kind: type[Task], metric: str, tmp_path: Path) -> None:
    rows = [
        {**row, **{name: int(row["label"] == name) for name in COLORS}} for row in table() if row["size"] is not None
    ]
    columns = ColumnOptions(text="word", features=[], target=target, ignore=["label"])  # type: ignore[arg-type]
    threshold = 0.3 if kind is MultiLabel else None
    chosen = options("graph", "linear", "trees", folds=2, threshold=threshold)
    fitted = fit(rows, out=tmp_path, columns=columns, options=chosen, config=SMALL)
    assert type(fitted.task) is kind
    assert getattr(fitted.task, "threshold", None) == threshold
    assert metric in fitted.metrics["out_of_fold"]
    [prediction] = fitted.task.predict(Sample({"word": str(rows[0]["word"])}))
    stated = prediction.interval if kind is Regression else prediction.label_set
    assert stated is not None


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = options("graph", "linear", folds=2)
    whole = fit(table(), out=tmp_path / "whole", columns=COLUMNS, options=chosen, config=SMALL)
    usual = neural.NeuralMember.fit

    def killed(member: neural.NeuralMember, rows: Sequence[int], run: str) -> Task:
        if run == "fold 2":
            raise KeyboardInterrupt
        return usual(member, rows, run)

    monkeypatch.setattr(neural.NeuralMember, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(table(), out=tmp_path / "killed", columns=COLUMNS, options=chosen, config=SMALL)
    monkeypatch.setattr(neural.NeuralMember, "fit", usual)
    with pytest.raises(ValueError, match="earlier run"):
        fit(table(), out=tmp_path / "killed", columns=COLUMNS, options=chosen, config=SMALL)
    other = replace(SMALL, learning_rate=0.5)
    with pytest.raises(ValueError, match="belongs to another run"):
        fit(table(), out=tmp_path / "killed", columns=COLUMNS, options=chosen, config=other, resume=True)
    steps: list[str] = []

    class Counting(Observer):
        """Counts training epochs."""

        def begins(self, what: str, total: int | None = None):  # type: ignore[no-untyped-def]
            steps.append(what)
            return super().begins(what, total)

    again = fit(
        table(),
        out=tmp_path / "killed",
        columns=COLUMNS,
        options=chosen,
        config=SMALL,
        resume=True,
        observer=Counting(),
    )
    assert not any("graph, fold 1" in what for what in steps)
    assert any("graph, fold 2" in what for what in steps)
    assert again.metrics == whole.metrics


@pytest.mark.parametrize(
    ("members", "more", "expected"),
    [
        (("graf",), {}, "did you mean 'graph'"),
        (("tree",), {}, "did you mean 'trees'"),
        (("linear:wrod",), {}, "did you mean 'word'"),
        (("linear", "linear"), {}, "different names"),
        (("linear",), {"model": "graph"}, "either one model"),
        (("linear",), {"folds": 0}, "at least 1"),
        (("linear",), {"folds": 900}, "at least as many rows"),
    ],
)
def test_members_that_do_not_suit_are_refused(
    members: tuple[str, ...], more: dict[str, object], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=expected):
        fit(table(), out=tmp_path, columns=COLUMNS, options=options(*members, **more), config=SMALL)


def test_a_stream_trains_one_model_and_says_why(tmp_path: Path) -> None:
    from gnnfuse.tables import OpenOptions

    told: list[str] = []

    class Told(Observer):
        """Keeps messages."""

        def says(self, message: object) -> None:
            told.append(str(message))

    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["word", "size", "label"])
        writer.writeheader()
        writer.writerows(table())
    small = replace(FitOptions(), dim=8, depth=1)
    opening = OpenOptions(streaming=True)
    config = replace(SMALL, batch_size=8)
    fit(path, out=tmp_path / "model", columns=COLUMNS, opening=opening, options=small, config=config, observer=Told())
    assert any("trained alone" in line and "streaming" in line for line in told), listed(told)
    with pytest.raises(ValueError, match="streaming"):
        fit(path, out=tmp_path / "other", columns=COLUMNS, opening=opening, options=options("linear"), config=config)


def test_a_table_of_few_groups_has_as_many_folds(tmp_path: Path) -> None:
    rows = [{**row, "who": "abc"[number % 7 % 3]} for number, row in enumerate(table())]
    columns = ColumnOptions(text="word", features=["size"], target="label", group="who", split="part")
    parts = [
        {**row, "part": "test" if row["who"] == "c" else "valid" if row["who"] == "b" else "train"} for row in rows
    ]
    fitted = fit(parts, out=tmp_path, columns=columns, options=options("linear"), config=SMALL)
    assert "2 folds" in fitted.outcome.blended
    assert "groups kept together" in fitted.outcome.blended
