"""Label the patches of a picture: where the handwritten zeros and ones are that were pasted into it."""

import torch
from sklearn.datasets import load_digits

import gnnfuse as gf

SIDE, DIGIT, PATCH = 24, 8, 4
CLASSES = ("background", "zero", "one")


def picture(digits: dict[str, list[torch.Tensor]], number: int) -> gf.Sample:
    """A zero and a one at random places, and the class of each patch: that of the digit which covers its middle."""
    generator = torch.Generator().manual_seed(number)
    canvas, labels = torch.zeros(1, SIDE, SIDE), [["background"] * (SIDE // PATCH) for _ in range(SIDE // PATCH)]
    places = torch.randperm((SIDE // DIGIT) ** 2, generator=generator)[:2].tolist()
    for name, place in zip(CLASSES[1:], places, strict=True):
        row, column = (DIGIT * n for n in divmod(place, SIDE // DIGIT))
        chosen = digits[name][int(torch.randint(len(digits[name]), (), generator=generator))]
        canvas[0, row : row + DIGIT, column : column + DIGIT] = chosen
        for patch in range((DIGIT // PATCH) ** 2):
            down, right = divmod(patch, DIGIT // PATCH)
            labels[row // PATCH + down][column // PATCH + right] = name
    return gf.Sample({"image": canvas}, target=labels, id=f"picture {number}")


def main() -> None:
    pixels, numbers = load_digits(return_X_y=True)
    scaled = torch.tensor(pixels, dtype=torch.float32).reshape(-1, DIGIT, DIGIT) / 16
    digits = {name: list(scaled[numbers == number]) for number, name in enumerate(CLASSES[1:])}
    samples = [picture(digits, number) for number in range(160)]
    train, valid = samples[:120], samples[120:]

    image = gf.ImagePatches(patch=PATCH, channels=1)
    builder = gf.GraphBuilder([image], [gf.Grid()], target=gf.NodeTarget("image", CLASSES))
    torch.manual_seed(0)
    task = gf.NodeClassification(gf.GraphFusion.of(builder, dim=32, depth=3), builder)
    config = gf.FitConfig(epochs=8, batch_size=20, learning_rate=5e-3, patience=None, progress=False)
    report = gf.fit_task(task, train, valid, config)
    print(f"mean intersection over union {report.best['valid_mean_iou']:.2f} after {report.epochs} epochs")

    [found] = task.predict(valid[0])
    assert isinstance(found.label, tuple)
    letters = [{"background": ".", "zero": "0", "one": "1"}[node.label] for node in found.label]
    width = SIDE // PATCH
    print("\n".join("".join(letters[start : start + width]) for start in range(0, len(letters), width)))


if __name__ == "__main__":
    main()
