"""The constant-Q transform where it is used: graphs, XLA, pipelines, files, training, long tracks."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkey.spectrogram import operations
from tfkey.spectrogram.cqt import CQT

SMALL = {"sample_rate": 22050, "hop_length": 512, "fmin": 110.0, "n_bins": 36, "bins_per_octave": 12}


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def close(a, b, tolerance=2e-5):
    return np.linalg.norm(np.asarray(a) - np.asarray(b)) <= tolerance * np.linalg.norm(np.asarray(b))


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_graphs_of_unknown_shape_give_what_eager_gives(pad_mode, jit_compile):
    layer = CQT(pad_mode=pad_mode, **SMALL)
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([None, None])], jit_compile=jit_compile)
    def graph(x):
        traces.append(x)
        return layer(x)

    for shape in ((1, 22050), (3, 9001), (2, 100)):
        x = noise(*shape)
        assert close(graph(x), layer(x))
    assert len(traces) == 1


def test_known_shapes_are_kept():
    layer = CQT(**SMALL)
    for shape in ((4, 5000), (None, 5000), (4, None), (None, None)):
        traced = tf.function(layer).get_concrete_function(tf.TensorSpec(shape))
        assert tuple(traced.outputs[0].shape) == layer.compute_output_shape(shape)
        assert layer(keras.Input(batch_shape=shape)).shape == layer.compute_output_shape(shape)
    assert CQT(output="complex", **SMALL)(keras.Input([100])).dtype == "complex64"


def test_runs_in_a_data_pipeline():
    layer, x = CQT(**SMALL), noise(6, 3000)
    data = tf.data.Dataset.from_tensor_slices(x).batch(4).map(layer, num_parallel_calls=2)
    assert close(np.concatenate([y.numpy() for y in data]), layer(x))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_leaves_it_in_float32(policy):
    x = noise(2, 9000)
    wanted = CQT(**SMALL)(x)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        assert close(CQT(dtype=policy, **SMALL)(x), wanted)
        assert close(keras.Sequential([keras.Input([9000]), CQT(**SMALL)]).predict(x, verbose=0), wanted)
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "tuning": 0.5,
            "filter_scale": 0.7,
            "norm": None,
            "window": "blackman",
            "scale": False,
            "pad_mode": "wrap",
        },
        {"norm": np.inf, "output": "complex"},
        {"trainable": True},
    ],
    ids=str,
)
def test_survives_a_keras_file(tmp_path, options):
    model = keras.Sequential([keras.Input([None]), CQT(**SMALL, **options)])
    for weight in model.weights:
        weight.assign(weight * 1.5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    config = loaded.layers[0].get_config()
    assert config == model.layers[0].get_config()
    assert {k: config[k] for k in (SMALL | options)} == SMALL | options
    x = noise(2, 9000)
    np.testing.assert_array_equal(loaded(x), model(x))


def test_frozen_filters_are_kept_and_stay_frozen(tmp_path):
    model = keras.Sequential([keras.Input([None]), CQT(trainable=True, **SMALL)])
    model.layers[0].weights[0].assign(model.layers[0].weights[0] * 2)
    model.layers[0].trainable = False
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.trainable_weights == []
    assert close(loaded(noise(1, 5000)), model(noise(1, 5000)))


SERVE = """
import sys, resource
import numpy as np, tensorflow as tf
assert not any(m.startswith("tfkey") for m in sys.modules)
serve = tf.saved_model.load(sys.argv[1]).serve
x = np.load(sys.argv[2])
y = serve(x).numpy()
np.save(sys.argv[3], y)
serve(x)
# Made so that memory peaks with the input itself, and not before.
long = tf.tile(tf.constant(x[:1]), [1, 20 * 60 * 44100 // x.shape[1]])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
frames = serve(long).shape[1]
print(frames, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)
"""


def test_a_saved_model_serves_long_tracks_without_tfkey(tmp_path):
    model = keras.Sequential([keras.Input([None]), CQT()])
    model.export(tmp_path / "model", verbose=False)
    x = noise(2, 70000)
    np.save(tmp_path / "x.npy", x)
    arguments = [str(tmp_path / name) for name in ("model", "x.npy", "y.npy")]
    result = subprocess.run(
        [sys.executable, "-c", SERVE, *arguments],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    frames, gigabytes = result.stdout.split()
    assert int(frames) == 1 + 20 * 60 * 44100 // 2048
    assert float(gigabytes) < 1
    assert close(np.load(tmp_path / "y.npy"), model(x))


@pytest.mark.parametrize("trainable", [False, True])
def test_the_gradient_is_the_slope(trainable):
    layer = CQT(trainable=trainable, **SMALL)
    x, direction = tf.constant(noise(1, 4000)), tf.constant(noise(4000)[None])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.square(layer(x)))
    slope = tf.reduce_sum(tape.gradient(loss, x) * direction)
    ahead, behind = (tf.reduce_sum(tf.square(layer(x + s * direction))) for s in (0.01, -0.01))
    assert float(slope) == pytest.approx(float(ahead - behind) / 0.02, rel=1e-3)
    for weight in layer.trainable_weights:
        # The loss is of degree 2 in all filters together.
        assert np.isfinite(tape.gradient(loss, weight.value).numpy()).all()
    if trainable:
        total = sum(tf.reduce_sum(tape.gradient(loss, w.value) * w.value) for w in layer.trainable_weights)
        assert float(total) == pytest.approx(2 * float(loss), rel=1e-3)


def test_silence_has_a_finite_gradient():
    x = tf.zeros([1, 4000])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = CQT(**SMALL)(x)
    assert float(tf.reduce_max(y)) == 0
    assert np.isfinite(tape.gradient(y, x).numpy()).all()


def test_learned_filters_start_analytic_and_learn():
    layer = CQT(trainable=True, **SMALL)
    x = noise(4, 6000)
    assert CQT(**SMALL).weights == []
    assert close(layer(x), CQT(**SMALL)(x), 1e-6)
    model = keras.Sequential([keras.Input([6000]), layer, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    start = [w.numpy() for w in layer.trainable_weights]
    model.fit(x, np.arange(4.0), epochs=1, verbose=0)
    assert all((w.numpy() != s).any() for w, s in zip(layer.trainable_weights, start, strict=True))


def test_split_products_are_exact_where_the_device_rounds_them(monkeypatch):
    """A device that rounds factors to TensorFloat-32, imitated: the split factors pass unrounded."""
    x, plain_conv = noise(2, 20000), tf.nn.conv1d
    wanted = CQT(**SMALL)(x)

    def rounded(value):
        bits = tf.bitcast(value, tf.int32) + (1 << 12)
        return tf.bitcast(tf.bitwise.bitwise_and(bits, -1 << 13), tf.float32)

    monkeypatch.setattr(tf.nn, "conv1d", lambda v, k, *rest: plain_conv(rounded(v), rounded(k), *rest))
    assert not close(CQT(**SMALL)(x), wanted, 1e-4)
    monkeypatch.setattr(operations, "_rounds_products", lambda: True)
    assert close(CQT(**SMALL)(x), wanted, 2e-6)
