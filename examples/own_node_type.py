"""A node type of one's own: point clouds join pictures and texts, and everything else works with them."""

from dataclasses import dataclass

import torch

import gnnfuse as gf
from gnnfuse.nodes import RowEncoder
from gnnfuse.sample import read_rows


@dataclass(frozen=True, kw_only=True)
class LidarPoints(gf.NodeType):
    """Points of a lidar sweep: rows of x, y, z and intensity."""

    name: str = "lidar"
    signal: str = "lidar"
    provides: frozenset[str] = frozenset({"position"})

    def empty(self) -> gf.NodeSet:
        return gf.NodeSet(torch.zeros(0, 4), shape=(0,), position=torch.zeros(0, 3))

    def nodes(self, sample: gf.Sample) -> gf.NodeSet | None:
        points = read_rows(sample, self.signal, width=4)
        if points is None:
            return None
        return gf.NodeSet(points.values, shape=(len(points.values),), position=points.values[:, :3])

    def encoder(self, dim: int) -> gf.NodeEncoder:
        return RowEncoder(4, dim, coordinates=3)


def main() -> None:
    generator = torch.Generator().manual_seed(0)

    def sample(number: int) -> gf.Sample:
        """Near or far: only the points tell. Every third sample has no text."""
        label = ("near", "far")[number % 2]
        points = torch.rand(20 + number, 4, generator=generator) + 2 * (number % 2)
        signals: dict[str, object] = {"lidar": points}
        if number % 3:
            signals["text"] = "something ahead"
        return gf.Sample(signals, target=label, id=f"sweep {number}")

    samples = [sample(number) for number in range(64)]
    builder = gf.GraphBuilder(
        [LidarPoints(), gf.TextTokens(), gf.Hub()],
        [gf.Nearest(k=6), gf.Window(), gf.Complete(dst="hub", name="to_hub"), gf.Complete(src="hub", name="from_hub")],
        target=gf.ClassTarget(("near", "far")),
    )
    print("relations:", ", ".join(map(str, builder.relations)))
    task = gf.Classification(gf.GraphFusion(builder.node_types, builder.relations, dim=32, depth=2), builder)
    report = gf.fit_task(task, samples[:48], samples[48:], gf.FitConfig(epochs=8, batch_size=16, progress=False))
    print(f"validation accuracy {report.best['valid_accuracy']:.2f} after {report.epochs} epochs")
    print(task.predict(gf.Sample({"lidar": torch.full((5, 4), 2.5)})))


if __name__ == "__main__":
    main()
