"""What ten lines of scikit-learn make of a table: each modality alone, side by side, added, and boosted trees.

Settings are chosen on the validation rows; a second variant is then fitted on training and validation rows together. A
modality that a row lacks becomes the mean of the training rows, with a column that indicates it; trees take it as
missing.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from small_tables_comparison.answers import Answers, Classes, Numbers, Outputs
from small_tables_comparison.modalities import Matrix, Modality
from small_tables_comparison.rows import Mask, Rows

STRENGTHS = tuple(float(strength) for strength in np.logspace(-5, 2, 15))
COMPONENTS = 30
WORSE = 1.1
VARIANTS = {"train": ("train",), "train+valid": ("train", "valid")}
Columns = dict[str, dict[str, Any]]


def classical_columns(rows: Rows, read: Mapping[str, Modality]) -> Columns:
    """Column -> its setting, and the metrics of each variant on the validation rows and each test.

    Args:
        rows: the table.
        read: its modalities.
    """
    answers: Answers = Numbers() if rows.table.kind == "regression" else Classes(list(set(rows.target)))
    found: Columns = {}
    alone = {name: linear(rows, answers, [each]) for name, each in read.items()}
    for name, (strength, outputs) in alone.items():
        found[name] = measured(rows, answers, strength, outputs)
    for names in subsets(read):
        about = "" if len(names) == len(read) else "+".join(names) + " "
        found[f"{about}side by side"] = measured(rows, answers, *linear(rows, answers, [read[name] for name in names]))
        added = {way: answers.together([alone[name][1][way] for name in names]) for way in VARIANTS}
        found[f"{about}added"] = measured(rows, answers, None, added)
    found["trees"] = measured(rows, answers, *trees(rows, answers, list(read.values())))
    return found


def subsets(names: Mapping[str, object]) -> list[tuple[str, ...]]:
    """All sets of at least two modalities, the whole first."""
    return [found for size in range(len(names), 1, -1) for found in combinations(names, size)]


def measured(rows: Rows, answers: Answers, setting: object, outputs: Mapping[str, Outputs]) -> dict[str, Any]:
    """The metrics of a column. Of the rows it is fitted on, none are measured."""
    found: dict[str, Any] = {"setting": setting}
    for variant, fitted in VARIANTS.items():
        measured = [name for name in ("valid", "test", "seen") if name not in fitted and rows.of(name).any()]
        found[variant] = {
            name: answers.metrics(outputs[variant][rows.of(name)], rows.target[rows.of(name)]) for name in measured
        }
    return found


def linear(rows: Rows, answers: Answers, read: Sequence[Modality]) -> tuple[float, dict[str, Outputs]]:
    """Logistic or ridge regression: the strength chosen, and the outputs of each variant."""
    train, valid = rows.of("train"), rows.of("valid")
    values = spanned(side_by_side(read, train), train)
    losses: dict[float, float] = {}
    for strength in STRENGTHS:
        model = answers.linear(strength).fit(values[train], rows.target[train])
        losses[strength] = answers.loss(answers.outputs(model, values[valid]), rows.target[valid])
        if losses[strength] > WORSE * min(losses.values()):
            break  # the loss only rises from here on, and larger strengths take longest
    best = min(losses, key=lambda strength: losses[strength])
    outputs = {}
    for variant, splits in VARIANTS.items():
        fitted = rows.of(*splits)
        values = spanned(side_by_side(read, fitted), fitted)
        outputs[variant] = answers.outputs(answers.linear(best).fit(values[fitted], rows.target[fitted]), values)
    return best, outputs


def spanned(values: Matrix, fitted: Mask) -> Matrix:
    """All rows by their coordinates in the span of rows `fitted`, where penalised weights lie: the same answers."""
    if values.shape[1] <= fitted.sum():
        return values
    known = values[fitted].astype(np.float64)
    roots, vectors = np.linalg.eigh(known @ known.T)
    kept = roots > roots[-1] * 1e-9
    return np.asarray(values @ (known.T @ (vectors[:, kept] / np.sqrt(roots[kept]))), dtype=np.float32)


def side_by_side(read: Sequence[Modality], fitted: Mask) -> Matrix:
    """The modalities of all rows as one matrix, standardised on rows `fitted`.

    Beside n-grams, whose rows have length 1, other modalities are scaled to rows of about that length.
    """
    grams = any(isinstance(each.values, list) for each in read)
    values = [standardised(each, fitted) for each in read]
    if grams:
        lengths = [1 if isinstance(each.values, list) else each.values.shape[1] ** 0.5 for each in read]
        values = [each / np.float32(length) for each, length in zip(values, lengths, strict=True)]
    absent = [(~each.present[:, None]).astype(np.float32) for each in read if not each.present[fitted].all()]
    return np.hstack([*values, *absent])


def standardised(modality: Modality, fitted: Mask) -> Matrix:
    """Numbers of mean 0 and deviation 1, rows without the modality 0; weighted character 1- to 4-grams of texts."""
    known = fitted & modality.present
    if isinstance(modality.values, list):
        grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, dtype=np.float32)
        grams.fit([text for text, used in zip(modality.values, known, strict=True) if used])
        return np.asarray(grams.transform(modality.values).toarray())
    values = StandardScaler().fit(modality.values[known]).transform(modality.values)
    values[~modality.present] = 0
    return np.asarray(values)


def trees(rows: Rows, answers: Answers, read: Sequence[Modality]) -> tuple[int, dict[str, Outputs]]:
    """Boosted trees on 30 principal components of each modality: the rounds chosen, and the outputs."""
    train, valid = rows.of("train"), rows.of("valid")
    values = np.hstack([components(each, train) for each in read])
    model = answers.trees().fit(values[train], rows.target[train])
    losses = [answers.loss(outputs, rows.target[valid]) for outputs in answers.staged(model, values[valid])]
    best = int(np.argmin(losses)) + 1
    outputs = {}
    for variant, splits in VARIANTS.items():
        fitted = rows.of(*splits)
        values = np.hstack([components(each, fitted) for each in read])
        model = answers.trees().set_params(max_iter=best).fit(values[fitted], rows.target[fitted])
        outputs[variant] = answers.outputs(model, values)
    return best, outputs


def components(modality: Modality, fitted: Mask) -> Matrix:
    """Principal components, missing for rows without the modality."""
    values, known = standardised(modality, fitted), fitted & modality.present
    count = min(COMPONENTS, values.shape[1], int(known.sum()) - 1)
    found = np.array(PCA(count, random_state=0).fit(values[known]).transform(values), dtype=np.float32)
    found[~modality.present] = np.nan
    return found
