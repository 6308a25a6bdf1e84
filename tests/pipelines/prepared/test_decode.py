from __future__ import annotations

import numpy as np
import pytest
import soundfile
import soxr
import tensorflow as tf

from pipelines.prepared import decode
from tests.conftest import chord

SAMPLES, RATE = 16000, 16000

FORMATS = {
    "8-bit.wav": ("WAV", "PCM_U8"),
    "16-bit.wav": ("WAV", "PCM_16"),
    "24-bit.wav": ("WAV", "PCM_24"),
    "float.wav": ("WAV", "FLOAT"),
    "extensible.wav": ("WAVEX", "PCM_16"),
    "16-bit.flac": ("FLAC", "PCM_16"),
    "24-bit.flac": ("FLAC", "PCM_24"),
    "vorbis.ogg": ("OGG", "VORBIS"),
    "opus.opus": ("OGG", "OPUS"),
    "layer 3.mp3": ("MP3", "MPEG_LAYER_III"),
}


@pytest.fixture(params=["tensorflow-io", "libsndfile"])
def decoder(request, monkeypatch):
    """``decode_clip`` as a compiled function, with tensorflow-io and without."""
    if request.param == "libsndfile":
        monkeypatch.setattr(decode, "tensorflow_io", lambda: None)
    elif decode.tensorflow_io() is None:
        pytest.skip("tensorflow-io does not load (it needs TensorFlow 2.16, on Python 3.10 to 3.12)")
    return tf.function(
        lambda path: decode.decode_clip(path, SAMPLES, RATE), input_signature=[tf.TensorSpec([], tf.string)]
    )


def expected(path):
    waveform, rate = soundfile.read(path, dtype="float32", always_2d=True)
    clip = soxr.resample(waveform.mean(axis=1), rate, RATE)[:SAMPLES]
    return np.pad(clip, (0, SAMPLES - len(clip)))


def write(path, container, subtype, rate, channels, seconds):
    # Channels that differ, so that a channel taken for the mean shows.
    levels = np.linspace(1.0, 0.4, channels)
    tones = [chord("Eb-min", seconds, rate, seed=number) * level for number, level in enumerate(levels)]
    soundfile.write(path, np.stack(tones, axis=1), rate, format=container, subtype=subtype)


@pytest.mark.parametrize(
    ("rate", "channels", "seconds"),
    [(16000, 1, 1.6), (8000, 6, 0.7), (44100, 2, 1.6), (44100, 1, 0.7), (96000, 2, 1.2), (48000, 6, 1.6)],
)
def test_decoding_agrees_with_libsndfile_and_soxr(rate, channels, seconds, decoder, tmp_path):
    judged = 0
    for name, (container, subtype) in FORMATS.items():
        codec_takes = {
            "OPUS": rate in (8000, 16000, 48000),
            "MPEG_LAYER_III": rate <= 48000 and channels <= 2,
        }
        if not codec_takes.get(subtype, True) or not soundfile.check_format(container, subtype):
            continue
        path = tmp_path / name
        write(path, container, subtype, rate, channels, seconds)
        clip = decoder(str(path)).numpy()
        assert (clip.shape, clip.dtype) == ((SAMPLES,), np.float32)
        wanted = expected(path)
        # A lossy decoder may round each of its steps differently.
        tolerance = 1e-6 if container in ("WAV", "WAVEX", "FLAC") else 1e-3
        error = np.abs(clip - wanted)
        assert error.max() < tolerance, (name, error.max(), error.argmax())
        judged += 1
    assert judged >= 8


def test_a_clip_that_is_no_audio_raises(decoder, tmp_path):
    for name, content in {
        "empty.wav": b"",
        "text.wav": b"no audio" * 99,
        "text.mp3": b"x",
        "a.flac": b"fLaC",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(tf.errors.OpError):
            decoder(str(tmp_path / name))
    with pytest.raises(tf.errors.OpError):
        decoder(str(tmp_path / "missing.wav"))


def test_wavs_alone_are_decoded_without_a_state(tmp_path):
    """What has a state is neither parallel nor ahead of the training where operations are deterministic."""
    decode_wav = tf.function(
        lambda path: decode.decode_clip(path, SAMPLES, RATE, only_wav=True),
        input_signature=[tf.TensorSpec([], tf.string)],
    )
    # A branch with a state in it makes a conditional that has one.
    operations = decode_wav.get_concrete_function().graph.get_operations()
    assert [operation.name for operation in operations if operation.op_def.is_stateful] == []
    for name, (container, subtype) in FORMATS.items():
        if container in ("WAV", "WAVEX"):
            for rate in (RATE, 44100):
                write(tmp_path / name, container, subtype, rate, 2, 1.6)
                clip = decode_wav(str(tmp_path / name)).numpy()
                assert np.abs(clip - expected(tmp_path / name)).max() < 1e-6
