from pathlib import Path

from gnnfuse.bench.plots import write_plots
from gnnfuse.bench.results import Results, Row
from gnnfuse.fusion import Family


def row(model: str, family: Family, seed: int, accuracy: float, groups: dict[str, float]) -> Row:
    return Row(
        model=model,
        family=family,
        seed=seed,
        test={"accuracy": accuracy},
        other_tests={},
        groups={"test": groups},
        valid={"valid_accuracy": accuracy},
        parameters=10,
        train_seconds=1.0,
        samples_per_second=100.0,
        peak_memory_mb=None,
        epochs=2,
        best_epoch=1,
        stopped="epochs",
        history=({"valid_accuracy": accuracy / 2}, {"valid_accuracy": accuracy}),
    )


def results(groups: dict[str, float]) -> Results:
    rows = [row("graph", "graph", seed, 0.6 + seed / 10, groups) for seed in (0, 1)]
    rows.append(row("concat", "classical", 0, 0.5, groups))
    return Results(task="made", splits={"train": 1}, environment={}, budget={}, rows=rows)


def test_every_plot_is_a_picture_and_groups_are_drawn_where_there_are_any(tmp_path: Path) -> None:
    with_groups, notes = write_plots(results({"sum": 0.5, "max": 0.7}), tmp_path)
    assert notes == ()
    assert set(with_groups) == {"scores.png", "curves.png", "speed.png", "groups.png"}
    for name in with_groups:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert "groups.png" not in write_plots(results({}), tmp_path)[0]


def test_the_same_results_give_the_same_pictures(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for name in write_plots(results({"sum": 0.5}), tmp_path / "one")[0]:
        write_plots(results({"sum": 0.5}), tmp_path / "two")
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
