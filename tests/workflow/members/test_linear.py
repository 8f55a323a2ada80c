"""Linear members: what they answer for rows whose modalities are missing, and after saving."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gnnfuse.tasks import Task
from gnnfuse.workflow.members.linear import LateMember, LinearMember, solved
from gnnfuse.workflow.members.member import Member
from gnnfuse.workflow.members.pooled_rows import PooledRows
from tests.workflow.members.pooled_tables import ROWS, builder, pooled, samples
from tests.workflow.members.saved import answers_in_a_fresh_process

TRAIN, TEST = range(0, 80), range(80, ROWS)


def outputs(task: Task, rows: range = TEST, without: str = "") -> Tensor:
    kept = [
        type(sample)({name: value for name, value in sample.signals.items() if name != without}, None, sample.id)
        for sample in (samples(str(task.builder.target.kind))[row] for row in rows)  # type: ignore[union-attr]
    ]
    with torch.no_grad():
        found: Tensor = task(task.builder(kept, empty=True))
    return found


def members(kind: str) -> list[Member]:
    rows = pooled(kind)
    late = [] if kind == "numbers" else [LateMember(pooled=rows)]
    return [LinearMember(pooled=rows), LinearMember.alone(rows, "wide"), LinearMember.alone(rows, "few"), *late]


@pytest.mark.parametrize("kind", ["class", "labels", "numbers"])
def test_every_member_beats_a_guess_on_rows_it_has_not_seen(kind: str) -> None:
    targets = pooled(kind).targets[list(TEST)]
    for member in members(kind):
        found = outputs(member.fit(TRAIN, "run"))
        if kind == "class":
            assert (found.argmax(dim=1) == targets).float().mean() > 0.55, member.name
        elif kind == "labels":
            assert ((found > 0) == (targets > 0.5)).float().mean() > 0.65, member.name
        else:
            assert (found - targets).square().mean() < 0.75 * (targets - targets.mean(dim=0)).square().mean()


def test_both_modalities_together_beat_each() -> None:
    targets = pooled("class").targets[80:]
    right = [(outputs(member.fit(TRAIN, "")).argmax(dim=1) == targets).sum() for member in members("class")[:3]]
    assert right[0] >= max(right[1:])


def test_a_missing_modality_stands_at_the_mean_of_the_training_rows() -> None:
    task = LinearMember(pooled=pooled("class")).fit([row for row in TRAIN if row % 10 and row % 7], "run")
    absent = outputs(task, without="few")
    model = task.model
    with torch.no_grad():
        vector = model(task.builder([samples("class")[row] for row in TEST], empty=True))
        vector[:, :2] = 0  # the mean; no training row lacks it, hence its indicator has no weight
        expected = task.head(vector)
    assert torch.allclose(absent, expected, atol=1e-5)


def test_one_modality_learns_from_the_rows_that_have_it() -> None:
    rows = pooled("class")
    alone = rows.alone("few")
    had = [row for row in TRAIN if bool(alone.present[row])]
    assert len(had) < len(TRAIN)
    one, other = (LinearMember(pooled=alone).fit(some, "") for some in (TRAIN, had))
    assert torch.equal(outputs(one), outputs(other))


@pytest.mark.parametrize("kind", ["class", "labels"])
def test_late_adds_the_evidence_of_each_modality_and_counts_the_shares_once(kind: str) -> None:
    rows, task = pooled(kind), LateMember(pooled=pooled(kind)).fit(TRAIN, "run")
    chosen = rows.at(TRAIN)
    share = torch.as_tensor((chosen.answers.sum(axis=0) + 0.5) / (len(chosen.answers) + 1)).float()
    prior = share.log() if kind == "class" else share.logit()
    expected = prior.expand(len(TEST), -1).clone()
    for modality in ("few", "wide"):
        own = rows.alone(modality).at(TRAIN)
        model, found = solved(own)
        share = torch.as_tensor((own.answers.sum(axis=0) + 0.5) / (len(own.answers) + 1)).float()
        vectors = model.scaled(rows.alone(modality).columns[80:], rows.alone(modality).present[80:])
        logits = vectors @ torch.as_tensor(found.weight.T).float() + torch.as_tensor(found.bias).float()
        added = logits - (share.log() if kind == "class" else share.logit())
        expected += torch.where(rows.alone(modality).present[80:], added, 0.0)
    assert torch.allclose(outputs(task), expected, atol=1e-4)


def test_late_without_any_modality_gives_the_shares() -> None:
    task = LateMember(pooled=pooled("class")).fit(TRAIN, "run")
    with torch.no_grad():
        [found] = task(task.builder([samples("class")[0].__class__({}, None, "none")], empty=True)).softmax(dim=1)
    shares = torch.bincount(pooled("class").targets[:80], minlength=3) / 80
    assert torch.allclose(found, shares, atol=0.02)


def test_late_refuses_numbers_and_an_unknown_modality_is_named() -> None:
    with pytest.raises(ValueError, match="'linear added': found numbers as targets"):
        LateMember(pooled=pooled("numbers"))
    with pytest.raises(ValueError, match="unknown modality 'wid', did you mean 'wide'"):
        LinearMember.alone(pooled("class"), "wid")


def test_rows_without_the_modality_alone_are_refused() -> None:
    alone = pooled("class").alone("few")
    with pytest.raises(ValueError, match="found no row with few"):
        LinearMember(pooled=alone).fit([row for row in TRAIN if not alone.present[row]], "run")


def test_the_same_rows_give_the_same_bits() -> None:
    one, other = (LinearMember(pooled=pooled("class")).fit(TRAIN, run) for run in ("a", "b"))
    assert torch.equal(outputs(one), outputs(other))


def test_groups_stay_together_within_the_rows() -> None:
    made = builder("class")
    groups = [str(row // 10) for row in range(ROWS)]
    rows = PooledRows.of(made, [made.graph(sample) for sample in samples("class")], groups=groups).at(TRAIN)
    folds = rows.folds()
    assert len(folds) == 4
    for train, held_out in folds:
        assert not {groups[row] for row in train} & {groups[row] for row in held_out}


def test_a_saved_member_answers_alike_in_a_fresh_process(tmp_path: Path) -> None:
    task = LateMember(pooled=pooled("class")).fit(TRAIN, "run")
    found = answers_in_a_fresh_process(task, samples("class")[80:], tmp_path / "late")
    assert torch.equal(found, outputs(task))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_groups_still_choose_the_penalty(count: int) -> None:
    rows = pooled("class")
    grouped = replace(rows, groups=[f"group {row % count}" for row in range(ROWS)])
    parts = grouped.at(TRAIN).folds()
    assert len(parts) == (count if count > 1 else 4)
    targets = rows.targets[list(TEST)]
    found = outputs(LinearMember(pooled=grouped).fit(TRAIN, "run"))
    assert (found.argmax(dim=1) == targets).float().mean() > 0.55
