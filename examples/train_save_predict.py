"""Train on questions about digits, save the model, load it again, and answer with modalities missing."""

from tempfile import TemporaryDirectory

import torch

import gnnfuse as gf
from gnnfuse.data import digits
from gnnfuse.nodes import LogMelFrames
from gnnfuse.tasks import Task


def main() -> None:
    dataset = digits(train=600, valid=200, test=200)
    builder = gf.GraphBuilder(
        [
            gf.ImagePatches(patch=4, stride=2, channels=1),
            gf.AudioFrames(sample_rate=8000, hop=0.04, window=0.08, encoding=LogMelFrames(mels=32)),
            gf.TextTokens(),
            gf.Hub(),
        ],
        [gf.Grid(), gf.Window(), gf.Complete(dst="hub", name="to_hub"), gf.Complete(src="hub", name="from_hub")],
        target=gf.ClassTarget(dataset.classes),
    )
    torch.manual_seed(0)
    task = gf.Classification(gf.GraphFusion(builder.node_types, builder.relations, dim=48, depth=2), builder)
    report = gf.fit_task(task, dataset.train, dataset.valid, gf.FitConfig(epochs=2, progress=False))
    found = f"validation accuracy {report.best['valid_accuracy']:.2f}, {len(dataset.classes)} classes"
    print(f"{found}, after {report.epochs} short epochs: `gnnfuse bench` trains longer, on more")

    result = gf.evaluate(task, dataset.tests["test"].open("example"))
    print(f"test accuracy {result.metrics['accuracy']:.2f}; the split cannot be opened a second time by this run")

    sample = dataset.valid[0]
    with TemporaryDirectory() as folder:
        gf.save_pretrained(task, folder)
        loaded = gf.from_pretrained(folder)
    assert isinstance(loaded, Task)
    assert loaded.predict(sample) == task.predict(sample)
    for missing in ((), ("audio",), ("audio", "image")):
        rest = {name: signal for name, signal in sample.signals.items() if name not in missing}
        answer = loaded.predict(gf.Sample(rest, id=sample.id))[0]
        given = f"{sample.signals['text']!r} ({sample.target}), without {' and '.join(missing) or 'nothing'}"
        print(f"{given}: {answer.label}, probability {max(answer.scores.values()):.2f}")


if __name__ == "__main__":
    main()
