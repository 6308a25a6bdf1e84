"""What decoding and the other steps of preparing cost: ``python -m tests.benchmarks.decoding``.

The first table shows the steps of ``prepare --mode spectrograms`` and of the plain script in
``tests.benchmarks.prepare``, with one thread, on MP3s of that benchmark. Both decode with libsndfile; the
table also shows the decoders of miniaudio (dr_mp3) and pedalboard (JUCE) if they are installed:
``pip install miniaudio pedalboard``. The second table shows what an interval costs in the formats in which
``prepare --mode audio`` could store it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from tests.benchmarks.prepare import RATE, REAL, librosa_transform, make_mp3s
from tests.benchmarks.results import add_option, figure, spread, table, write_results
from tfkey.audio.reading import read
from tfkey.config import Config

CLIP_SECONDS = 30
_BLOCK = 1 << 16  # frames decoded at a time


def other_decoders(paths: list[Path]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Those that are installed, each with what decodes all files block by block."""
    if find_spec("miniaudio"):
        import miniaudio

        def by_miniaudio() -> None:
            for path in paths:
                for _ in miniaudio.mp3_stream_file(str(path), _BLOCK):
                    pass

        yield "miniaudio", by_miniaudio
    if find_spec("pedalboard"):
        from pedalboard.io import AudioFile

        def by_pedalboard() -> None:
            for path in paths:
                with AudioFile(str(path)) as stream:
                    while stream.tell() < stream.frames:
                        stream.read(_BLOCK)

        yield "pedalboard", by_pedalboard


def print_steps(corpus: Path, files: int = 6, rounds: int = 5) -> dict[str, Any]:
    """The first table: decoders, and the steps of both ways, in turns, on the first files of the corpus."""
    import librosa
    import tensorflow as tf

    from pipelines.prepare.spectrograms import picture_function

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    config = Config()
    transform = picture_function(config).get_concrete_function()
    samples = config.intervals.samples(RATE)
    paths = sorted(corpus.rglob("*.mp3"))[:files]
    waveforms = [read(path, RATE) for path in paths]
    clips = [tf.constant(waveform[np.newaxis, :samples]) for waveform in waveforms]
    seconds = sum(waveform.size for waveform in waveforms) / RATE

    def by_libsndfile() -> None:
        for path in paths:
            with soundfile.SoundFile(path) as stream:
                while len(stream.read(_BLOCK, dtype="float32")):
                    pass

    steps: dict[str, tuple[float, Callable[[], object]]] = {
        "MP3, stereo, by libsndfile alone": (seconds, by_libsndfile),
        **{f"the same by {name}": (seconds, decode) for name, decode in other_decoders(paths)},
        "tfkey.audio.reading.read": (seconds, lambda: [read(path, RATE) for path in paths]),
        "tfkey's spectrogram": (
            len(clips) * config.intervals.seconds,
            lambda: [transform(clip).numpy() for clip in clips],
        ),
        "librosa.load": (seconds, lambda: [librosa.load(path, sr=RATE) for path in paths]),
        "librosa.cqt": (seconds, lambda: [librosa_transform(waveform, RATE) for waveform in waveforms]),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, (length, step) in steps.items():
            begin = time.perf_counter()
            step()
            # The first round fills caches.
            if number:
                times[name].append((time.perf_counter() - begin) / length * CLIP_SECONDS * 1000)
    print(f"\n{CLIP_SECONDS} s in ms, one thread, median (least to greatest) of {rounds} rounds")
    for name, values in times.items():
        print(f"{name:36}{spread(values, '.1f')}")
    return stated(times)


def stated(times: dict[str, list[float]]) -> dict[str, Any]:
    """The figures and the table of the steps, for a results file."""
    middle = {name: statistics.median(values) for name, values in times.items()}
    wanted = (middle["librosa.load"] + middle["librosa.cqt"]) / 3
    least = middle["MP3, stereo, by libsndfile alone"] + middle["tfkey's spectrogram"]
    rows = [[name, spread(values, ".1f")] for name, values in times.items()]
    return {
        "figures": {
            "wanted": figure("ms for all, to be three times as fast as librosa", wanted, form=".1f"),
            "least": figure("ms that libsndfile's decoding and the transform take", least, form=".1f"),
        },
        "tables": {"steps": table("Steps, ms per 30 s", ["step", "ms"], rows)},
    }


def print_formats(rounds: int = 7) -> dict[str, Any]:
    """The second table: decoding one interval, by one thread after the other, and what it takes on disk."""
    import tensorflow as tf

    from pipelines.prepared.decode import decode_clip, tensorflow_io

    samples = CLIP_SECONDS * RATE
    in_graph = tf.function(
        lambda path: decode_clip(path, samples, RATE), input_signature=[tf.TensorSpec([], tf.string)]
    )
    graph_name = "tensorflow-io" if tensorflow_io() else "libsndfile in tf"
    clips = [read(path, RATE)[:samples] for path in sorted(REAL.glob("*.ogg"))]
    print(f"\n{CLIP_SECONDS} s mono in ms, median of {rounds} rounds over {len(clips)} clips; MB per hour")
    print(f"in TensorFlow WAV is decoded by its own operation, all else by {graph_name}")
    print(f"{'':12}{'soundfile':>12}{'TensorFlow':>12}{'MB/hour':>10}")
    rows = []
    for suffix in ("wav", "flac", "ogg", "mp3"):
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{number}.{suffix}" for number in range(len(clips))]
            for path, clip in zip(paths, clips, strict=True):
                soundfile.write(path, clip, RATE, subtype="PCM_16" if suffix in ("wav", "flac") else None)
            size = sum(path.stat().st_size for path in paths) / len(paths) / 1e6 * 3600 / CLIP_SECONDS
            names = [tf.constant(str(path)) for path in paths]
            times: dict[str, list[float]] = {"soundfile": [], "graph": []}
            for number in range(rounds + 1):
                for path, name in zip(paths, names, strict=True):
                    begin = time.perf_counter()
                    soundfile.read(path, dtype="float32")
                    middle = time.perf_counter()
                    in_graph(name).numpy()
                    # The first round traces and fills caches.
                    if number:
                        times["soundfile"].append(middle - begin)
                        times["graph"].append(time.perf_counter() - middle)
            columns = "".join(f"{statistics.median(values) * 1000:12.1f}" for values in times.values())
            print(f"{suffix:12}{columns}{size:10.0f}")
            rows.append(
                [suffix, *(f"{statistics.median(v) * 1000:.1f}" for v in times.values()), f"{size:.0f}"]
            )
    return table("Formats", ["format", "libsndfile, ms", "in TensorFlow, ms", "MB per hour"], rows)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tfkey-benchmark")
    parser.add_argument("--hours", type=float, default=0.2, help="of MP3 to make (default: 0.2)")
    add_option(parser)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["NUMBA_NUM_THREADS"] = "1"
    with threadpool_limits(1):
        steps = print_steps(make_mp3s(options.folder, options.hours)[0])
        steps["tables"]["formats"] = print_formats()
    write_results(
        options.results, "Steps of preparing", **steps, packages=("tensorflow", "librosa", "soundfile")
    )


if __name__ == "__main__":
    main()
