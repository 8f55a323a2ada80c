"""Train with checkpoints, be interrupted half-way, go on, and end with the very weights of a run that was not."""

import os
import signal
from tempfile import TemporaryDirectory
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

import gnnfuse as gf

WORDS = ("rain", "sun", "snow", "fog")
generator = torch.Generator().manual_seed(0)
SAMPLES = [
    gf.Sample({"report": f"{word} today", "sensor": torch.randn(6, 3, generator=generator)}, target=word)
    for word in WORDS * 40
]
TRAIN, VALID = SAMPLES[:128], SAMPLES[128:]


def new_task() -> gf.Classification:
    builder = gf.GraphBuilder(
        [gf.TextTokens(signal="report"), gf.Features(signal="sensor", width=3), gf.Hub()],
        [gf.Window(), gf.Complete(dst="hub", name="to_hub"), gf.Complete(src="hub", name="from_hub")],
        target=gf.ClassTarget(WORDS),
    )
    torch.manual_seed(0)
    return gf.Classification(
        gf.GraphFusion(builder.node_types, builder.relations, dim=32, depth=1), builder, dropout=0.2
    )


class PressCtrlC(Callback):
    """Stands for whatever comes between: Ctrl-C, a machine that is taken away (SIGTERM), a power cut."""

    def on_train_batch_start(self, trainer: Any, *_: object) -> None:
        if trainer.global_step == 3:
            os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    undisturbed = new_task()
    gf.fit_task(undisturbed, TRAIN, VALID, gf.FitConfig(epochs=3, progress=False, device="cpu"))

    with TemporaryDirectory() as folder:
        # One configuration for every life of the run: it begins where there is no checkpoint, else goes on.
        config = gf.FitConfig(epochs=3, progress=False, device="cpu", out=folder, resume=True, logs=("csv",))
        try:
            gf.fit_task(new_task(), TRAIN, VALID, config, callbacks=[PressCtrlC()])
        except KeyboardInterrupt:
            print("interrupted; in the folder:", *sorted(os.listdir(folder)))

        task = new_task()  # a new process would build it alike
        report = gf.fit_task(task, TRAIN, VALID, config)
        print(f"went on to the end: {report.epochs} epochs, {report.samples} samples")

        pairs = zip(task.state_dict().values(), undisturbed.state_dict().values(), strict=True)
        print("the same weights, bit for bit:", all(torch.equal(resumed, whole) for resumed, whole in pairs))

        try:
            gf.fit_task(new_task(), TRAIN[:64], VALID, config)
        except ValueError as error:
            print("with other data:", error)


if __name__ == "__main__":
    main()
