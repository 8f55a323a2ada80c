import io
import struct

import numpy as np
import pytest
import soundfile

from gnnfuse.sample import Sample, SignalError, container, mpeg, read_audio
from gnnfuse.sample.mpeg import pieces_of

DELAY = 1105  # samples of the encoder and the decoder together, which an Info header lets libsndfile take off
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
JUNK = bytes(np.random.default_rng(1).integers(0, 256, 3000, dtype=np.uint8))


def noise(samples: int, channels: int = 1) -> np.ndarray:
    found = np.random.default_rng(0).uniform(-0.5, 0.5, (samples, 1)).astype(np.float32).repeat(channels, axis=1)
    found[: samples // 2] *= 1e-3  # a quiet half: of variable bit rate, its frames are small
    return found


def mp3(samples: np.ndarray, rate: int = 44100, mode: str = "CONSTANT") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="MP3", bitrate_mode=mode, compression_level=0.5)
    return file.getvalue()


def without_header(content: bytes) -> bytes:
    (piece,) = pieces_of(content)
    assert piece.info is not None
    return content[piece.info[1] :]


def read(content: bytes, rate: int = 44100) -> np.ndarray:
    found = read_audio(Sample({"x": content}, id="seven"), "x", sample_rate=rate, max_seconds=60)
    assert found is not None
    return found.numpy()


def refused(content: bytes, message: str, rate: int = 44100) -> None:
    with pytest.raises(SignalError, match=rf"sample 'seven', signal 'x': found .*{message}"):
        read(content, rate)


def id3(size: int) -> bytes:
    sevens = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\0\0" + sevens + (mp3(noise(4000)) * size)[:size]  # what is in a tag may look like frames


def ape(size: int, header: bool) -> bytes:
    numbers = struct.pack("<II", 2000, size + 32) + struct.pack("<I", 0)
    ends = [b"APETAGEX" + numbers + struct.pack("<I", flags) + bytes(8) for flags in (0xA0000000, 0x80000000)]
    return (ends[0] if header else b"") + bytes(size) + ends[1]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("mode", "channels"), [("CONSTANT", 1), ("VARIABLE", 2)])
def test_a_file_without_a_header_is_read_to_its_end(rate: int, mode: str, channels: int) -> None:
    samples = noise(rate // 2, channels)
    whole = mp3(samples if mode == "VARIABLE" else samples[::-1], rate, mode)
    expected = read(whole, rate)
    assert len(expected) == len(samples)
    found = read(without_header(whole), rate)
    assert len(found) % 576 == 0
    assert 0 <= len(found) - DELAY - len(samples) < 1152
    settled = slice(3000, len(samples))  # the first frames draw on bits of the ones before them
    np.testing.assert_allclose(found[DELAY:][settled], expected[settled], rtol=0, atol=1e-6)


def test_joined_files_are_read_one_after_the_other() -> None:
    first, second = mp3(noise(20000)), mp3(noise(9000, 2), mode="VARIABLE")
    parts = [read(first), read(second), read(without_header(first))]
    assert [len(part) for part in parts[:2]] == [20000, 9000]
    np.testing.assert_array_equal(read(first + second), np.concatenate(parts[:2]))
    np.testing.assert_array_equal(read(second + id3(500) + first), np.concatenate(parts[1::-1]))
    longer = read(first + without_header(first))  # more frames than the header announces
    assert len(longer) == 2 * len(parts[2])
    refused(first + mp3(noise(9000), 22050), "joined recordings of different sample rates: 22050, 44100 Hz")


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(
    ("before", "behind"),
    [
        (id3(200_000), b""),
        (id3(300) + id3(70_000), b"TAG" + bytes(125)),
        (b"", ape(100_000, header=True)),
        (ape(50, header=True), ape(90, header=False) + b"TAG" + bytes(125)),
        (bytes(100_000), bytes(100_000)),
        (JUNK, JUNK),
        (b"", b"LYRICSBEGIN" + bytes(100_000) + b"000020LYRICS200" + b"TAG" + bytes(125)),
    ],
    ids=["picture", "two tags", "ape", "ape footer", "zeros", "junk", "lyrics"],
)
def test_tags_zeros_and_junk_are_skipped(before: bytes, behind: bytes, header: bool) -> None:
    whole = mp3(noise(20000))
    content = whole if header else without_header(whole)
    np.testing.assert_array_equal(read(before + content + behind), read(content))


def test_junk_between_frames_is_skipped_up_to_a_limit() -> None:
    content = without_header(mp3(noise(40000), mode="VARIABLE"))
    (piece,) = pieces_of(content)
    middle = piece.frames[len(piece.frames) // 2][0]
    np.testing.assert_array_equal(read(content[:middle] + JUNK + content[middle:]), read(content))
    refused(
        content[:middle] + JUNK * 30 + content[middle:], r"damaged: \d\d,\d{3} bytes behind MPEG frame \d+ are neither"
    )


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("header", [True, False])
def test_a_cut_frame_is_refused(mode: str, header: bool) -> None:
    whole = mp3(noise(20000), mode=mode)
    content = whole if header else without_header(whole)
    frames = pieces_of(content)[0].frames
    for cut in (len(content) - 1, frames[-1][0] + 1, frames[-1][0] + 3, frames[5][0] + 9, frames[1][0] + 100):
        refused(content[:cut], r"truncated: \d+ (of \d+ )?bytes of MPEG frame \d+")
    missing = content[: frames[9][1]]  # cut between frames: only a header tells
    if header:
        refused(missing, rf"damaged or truncated: 10 of {len(frames)} announced MPEG frames")
    else:
        assert len(read(missing)) == 11520


def test_a_header_of_fraunhofer_is_no_sound_and_shows_truncation() -> None:
    whole = mp3(noise(20000), mode="VARIABLE")
    (piece,) = pieces_of(whole)
    assert piece.info is not None
    start, end = piece.info
    header = bytearray(whole[start:end])
    header[4:] = bytes(len(header) - 4)
    header[36:54] = b"VBRI" + struct.pack(">HHHII", 1, 0, 0, len(whole), len(piece.frames))
    fraunhofer = bytes(header) + whole[end:]
    np.testing.assert_array_equal(read(fraunhofer), read(whole[end:]))
    refused(
        fraunhofer[: piece.frames[-2][1]],
        f"damaged or truncated: {len(piece.frames) - 1} of {len(piece.frames)} announced MPEG frames",
    )


def test_a_header_that_counts_itself_is_believed_where_all_bytes_are_there() -> None:
    whole = bytearray(mp3(noise(20000)))
    at = whole.index(b"Info") + 8
    frames = len(pieces_of(bytes(whole))[0].frames)
    whole[at : at + 4] = struct.pack(">I", frames + 1)
    assert len(read(bytes(whole))) == frames * 1152


@pytest.mark.parametrize("rate", [8000, 16000, 24000])  # whose frames are of one size without padding
def test_free_format_is_read(rate: int) -> None:
    content = bytearray(without_header(mp3(noise(rate), rate)))
    expected = read(bytes(content), rate)
    for start, _ in pieces_of(bytes(content))[0].frames:
        content[start + 2] &= 0x0F
    np.testing.assert_array_equal(read(bytes(content), rate), expected)


@pytest.mark.parametrize(
    ("header", "size", "samples"),
    [(b"\xff\xfd\x80\x00", 417, 1152), (b"\xff\xff\x40\x00", 136, 384), (b"\xff\xf5\x80\x00", 417, 1152)],
    ids=["layer 2", "layer 1", "layer 2, version 2"],
)
def test_other_layers_are_read(header: bytes, size: int, samples: int) -> None:
    frame = header + bytes(size - 4)  # no bits allocated: silence
    rate = 44100 if header[1] & 8 else 22050
    assert read(frame * 9, rate).tolist() == [0.0] * 9 * samples
    refused((frame * 9)[:-5], "truncated", rate=rate)


def test_what_is_too_long_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = b"\xff\xe3\x18\xc4" + bytes(68)  # 8 kbit/s at 8 kHz: 72 ms in 72 bytes
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *a, **k: pytest.fail("decoded"))
    refused(frame * 1000, r"a recording of 72 s \(576,000 frames at 8000 Hz\), expected at most 60 s", rate=8000)
    monkeypatch.setattr(container, "TAG_BYTES", 1000)
    refused(id3(5) + bytes(5_000_000), r"5,000,015 bytes, more than 4,801,000, the largest MP3 file", rate=8000)


def test_random_bytes_are_no_recording() -> None:
    data = np.random.default_rng(2).integers(0, 256, 1 << 18, dtype=np.uint8).tobytes()
    assert pieces_of(data) == []
    assert pieces_of(b"\xff\xfe" + "text in UTF-16".encode("utf-16-le") * 100) == []
    refused(data, "it begins with the bytes")


def test_files_made_to_cost_time_or_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpeg, "PIECES", 9)
    refused(mp3(noise(600), 8000) * 10, "joined from more than 9 files", rate=8000)
    assert pieces_of(b"ID3\4\0\0\0\0\0\0" * 100_000) == []
    with pytest.raises(ValueError, match="damaged: "):
        pieces_of(b"\xff\xfb\0\0" * 99 + b"LYRICSBEGIN" * 20_000)
