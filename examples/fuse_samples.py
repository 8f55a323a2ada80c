"""Pictures, recordings and texts, some of them missing, become one fused vector per sample."""

import torch

import gnnfuse as gf


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(3, 64, 96, generator=generator)
    recording = gf.Audio(torch.rand(12_000, generator=generator) * 2 - 1, sample_rate=8000)
    samples = [
        gf.Sample({"image": picture, "audio": recording, "text": "a dog barks"}, id="all three"),
        gf.Sample({"image": picture}, id="picture only"),
        gf.Sample({}, id="nothing at all"),
    ]
    builder = gf.GraphBuilder(
        [gf.ImagePatches(patch=16), gf.AudioFrames(hop=0.05), gf.TextTokens(), gf.Hub()],
        [
            gf.Grid(),
            gf.Window(size=2),
            gf.Aligned(by="order"),
            gf.Complete(dst="hub", name="to_hub"),
            gf.Complete(src="hub", name="from_hub"),
        ],
    )
    batch = builder(samples, empty=True)  # the last one has nothing to read, which is refused otherwise
    model = gf.GraphFusion(builder.node_types, builder.relations, dim=64, depth=3).eval()
    fused = model(batch)
    for name, present, vector in zip(batch.ids, batch.present.tolist(), fused, strict=True):
        has = [modality for modality, there in zip(batch.modalities, present, strict=True) if there]
        print(f"{name}: {', '.join(has) or 'no modality'} -> {vector.numel()} numbers, norm {vector.norm():.2f}")

    alone = model(builder([samples[1]]))[0]
    print("a sample fused alone and in a batch differ by at most", f"{(alone - fused[1]).abs().max():.1e}")


if __name__ == "__main__":
    main()
