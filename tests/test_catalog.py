from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

import gnnfuse
from gnnfuse import catalog

BUILT = {path.name for path in Path(gnnfuse.__file__).parent.iterdir() if path.is_dir()}
ENTRIES = [(kind, name, place) for kind, found in catalog.KINDS.items() for name, place in found.items()]


@pytest.fixture
def plug_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    """Entry points of installed packages, as the test lists them."""
    points: list[EntryPoint] = []
    monkeypatch.setattr(catalog, "entry_points", lambda *, group: EntryPoints(points).select(group=group))
    for kept in (catalog.entries, catalog._plug_ins):
        kept.cache_clear()
    yield points
    for kept in (catalog.entries, catalog._plug_ins):
        kept.cache_clear()


@pytest.mark.parametrize(("kind", "name", "place"), ENTRIES, ids=lambda part: part.rpartition(":")[2])
def test_every_name_stands_for_an_object_of_a_stage_that_is_there(kind: str, name: str, place: str) -> None:
    if place.split(".")[1] not in BUILT:
        pytest.skip("its stage is not built yet")
    found = catalog.load(kind, name)
    assert callable(found)
    assert getattr(found, "__name__", None) == place.rpartition(":")[2]


@pytest.mark.parametrize("kind", catalog.KINDS)
def test_no_object_has_two_names(kind: str) -> None:
    places = list(catalog.KINDS[kind].values())
    assert len(set(places)) == len(places)


def test_names_are_sorted() -> None:
    assert catalog.names("edge_rule") == ("aligned", "complete", "given", "grid", "nearest", "window")


def test_an_unknown_name_is_refused_with_the_near_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown edge_rule 'gird', did you mean 'grid'\? Known: aligned, .*window"):
        catalog.load("edge_rule", "gird")
    with pytest.raises(ValueError, match=r"unknown edge_rule 'zzz'\. Known: aligned, "):
        catalog.load("edge_rule", "zzz")


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown kind 'rule', expected one of: node_type, edge_rule"):
        catalog.names("rule")


def test_a_plug_in_adds_its_names_to_its_kind_only(plug_ins: list[EntryPoint]) -> None:
    plug_ins.append(EntryPoint("edge_rule.lidar", "collections:OrderedDict", "gnnfuse"))
    plug_ins.append(EntryPoint("edge_rule.other", "nowhere:Nothing", "another_group"))
    assert catalog.load("edge_rule", "lidar").__name__ == "OrderedDict"  # type: ignore[attr-defined]
    assert "lidar" not in catalog.names("node_type")
    assert "other" not in catalog.names("edge_rule")


def test_a_second_entry_under_a_name_is_refused(plug_ins: list[EntryPoint]) -> None:
    plug_ins.append(EntryPoint("edge_rule.grid", "somewhere:Grid", "gnnfuse"))
    with pytest.raises(ValueError, match=r"two entries for edge_rule 'grid': gnnfuse.edges.grid:Grid and somewhere:G"):
        catalog.names("edge_rule")


def test_an_entry_of_no_kind_is_warned_of_once_and_left_aside(plug_ins: list[EntryPoint]) -> None:
    plug_ins.append(EntryPoint("node_types.lidar", "mine:Lidar", "gnnfuse"))
    plug_ins.append(EntryPoint("target.lidar", "mine:LidarTarget", "gnnfuse"))
    with pytest.warns(
        UserWarning, match=r"entry point 'node_types.lidar' \(mine:Lidar\) .* of the kinds node_type, edge_rule"
    ) as seen:
        found = [catalog.names(kind) for kind in catalog.KINDS]
    assert len(seen) == 1
    assert sum("lidar" in names for names in found) == 1
    assert "lidar" in catalog.names("target")


@pytest.mark.parametrize(
    ("place", "reason"),
    [("collections:Nope", "has no attribute 'Nope'"), ("nowhere_at_all:Thing", "No module named 'nowhere_at_all'")],
)
def test_a_plug_in_of_a_missing_object_is_named(plug_ins: list[EntryPoint], place: str, reason: str) -> None:
    plug_ins.append(EntryPoint("model.mine", place, "gnnfuse"))
    with pytest.raises(ValueError, match=f"model 'mine': cannot load '{place}': .*{reason}"):
        catalog.load("model", "mine")
