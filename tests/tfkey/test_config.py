from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tfkey.models
from tfkey.config import Config, load_config, load_resolved
from tfkey.config_layers import config_root
from tfkey.errors import ConfigError
from tfkey.settings import FeatureConfig

REPOSITORY = Path(__file__).parents[2]


def test_yaml_defaults_are_the_defaults_in_code() -> None:
    """Both state every default; they must not drift apart."""
    from_files, in_code = load_config(), Config()
    assert from_files.model_dump(exclude={"model"}) == in_code.model_dump(exclude={"model"})
    settings = tfkey.models.model_settings(in_code.model.name)
    assert from_files.model.settings.items() <= vars(settings).items()


# What `tfkey tune --space` takes is no configuration.
SPACES = {config_root() / "tune.yaml"}


@pytest.mark.parametrize(
    "path", sorted(set(config_root().glob("*.yaml")) - SPACES), ids=lambda path: path.stem
)
def test_every_shipped_file_loads_by_name_and_by_path(path: Path) -> None:
    config = load_config(path.stem)
    assert config == load_config(path)
    assert (config == load_config()) == (path.stem == "train")


@pytest.mark.parametrize("section", ["features", "model"])
def test_every_shipped_section_loads(section: str) -> None:
    folder = config_root() / {"features": "features", "model": "models"}[section]
    for path in folder.glob("*.yaml"):
        load_config(None, [f"{section}={path.stem}"])


def test_later_layers_win_and_leave_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("features: demo\ntrain: {epochs: 7, patience: 3}\ndatasets: [gs_mtg, ncs]\n")
    config = load_config(file, ["train.epochs=8", "train.epochs=9", "features.fmin=55", "datasets=[ncs]"])
    default = load_config()
    assert (config.train.epochs, config.train.patience) == (9, 3)
    assert config.train.batch_size == default.train.batch_size
    assert (config.features.hop_length, config.features.fmin) == (8192, 55.0)
    assert config.datasets == ["ncs"]
    # A word replaces what stood before it, and is itself refined by what comes after.
    assert load_config(file, ["features.hop_length=512", "features=demo"]).features.hop_length == 8192
    assert load_config(None, ["train.learning_rate=1e-4", "data_dir=/a b/c"]).train.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        (
            "train.epohcs=3",
            ["train.epohcs", "did you mean epochs?", "allowed: average, batch_size, ", "weight_decay"],
        ),
        (
            "trian.epochs=3",
            ["trian: no such setting", "did you mean train?", "allowed: augment, cache_dir, cache_gb, cat"],
        ),
        ("train.zzz=3", ["train.zzz: no such setting; allowed: "]),
        ("train.epochs=many", ["train.epochs", "'many'", "integer"]),
        ("train.epochs=2.5", ["train.epochs", "2.5", "integer"]),
        ("train.epochs=true", ["train.epochs: true is not allowed: it is a boolean"]),
        ("train.epochs=", ["train.epochs", "None", "integer"]),
        ("train.epochs.x=3", ["train.epochs"]),
        ("train.deterministic=maybe", ["train.deterministic", "maybe", "boolean"]),
        ("train.learning_rate=0", ["train.learning_rate", "greater than 0"]),
        ("train.learning_rate=.inf", ["train.learning_rate", "finite"]),
        ("features.db_min=.nan", ["features.db_min", "finite"]),
        ("features.floor=low", ["features.floor: 'low' is not allowed", "'hard' or 'soft'"]),
        ("features={floor: soft, db_min: -400}", ["a soft floor needs db_min (-400.0)", "from -300 to 300"]),
        (
            "features.db_max=-50",
            ["features: db_max (-50.0) must be above db_min (-40.0) (in the override features.db_max=-50)"],
        ),
        ("features.n_bins=400", ["features: the highest bin", "22050 Hz", "n_bins"]),
        ("intervals.remainder=cut", ["intervals.remainder", "'cut'", "'drop'", "'pad'", "'overlap'"]),
        ("split.test=0.9", ["split: ", "add up to less than 1"]),
        ("mode=video", ["mode", "'video'", "'audio', 'spectrograms' or 'images'"]),
        ("datasets=[]", ["datasets", "at least 1"]),
        ("datasets=5", ["datasets", "list", "(in the override datasets=5)"]),
        ("train=5", ["train: 5"]),
        ("features={1: 2}", ["features.1"]),
        ("features=mel", ["features: 'mel' is unknown; allowed: cqt, demo"]),
        ("model=resnet", ["model: 'resnet' is unknown; allowed: allconv"]),
        ("model.name=resnet", ["'resnet'", "allconv"]),
        (
            "model.dropot=0.1",
            [
                "model.dropot: no such setting (did you mean dropout?)",
                "(model allconv, in the override ",
            ],
        ),
        ("model.maps=true", ["model.maps: true is not allowed: it is a boolean"]),
        ("augment.pitch_shift=4", ["features.extra_semitones=0", "(in the override augment.pitch_shift=4)"]),
        ("augment.detune_cents=60", ["augment.detune_cents: 60", "less than or equal to 50"]),
        ("augment.noise_floor_db=0", ["augment.noise_floor_db: 0", "less than 0"]),
        ("augment.band_limits=2", ["augment.band_limits: 2", "less than or equal to 1"]),
        ("weights.nope=0.5", ["nope is not among datasets (demo)", "(in the override weights.nope=0.5)"]),
        ("weights.demo=0", ["weights.demo: 0 is not allowed: input should be greater than 0"]),
        ("train.xla=true", ["train.deterministic=false", "(in the override train.xla=true)"]),
        ("seed=4294967296", ["seed: 4294967296", "less than or equal to 4294967295"]),
        ("model.dropout=1", ["model.dropout: 1 is not allowed: input should be less than 1"]),
        ("train.epochs", ["the override train.epochs: write it as section.setting=value"]),
        ("=3", ["the override =3: write it as"]),
        ("train.epochs=[1", ["the override train.epochs=[1: the value is not YAML"]),
    ],
)
def test_bad_setting_names_itself_and_what_is_allowed(override: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override])
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("override", "value"),
    [
        # As files write them: whole numbers for floats, floats for integers, and 1e-4, in YAML 1.1 a text.
        ("train.weight_decay=1", 1.0),
        ("train.batch_size=2.0", 2),
        ("train.learning_rate=1e-4", 1e-4),
        ("model.maps=4.0", 4),
        ("model.dropout=0", 0.0),
        ("model.dropout=1e-1", 0.1),
        ("weights={demo: 1e-1}", {"demo": 0.1}),
    ],
)
def test_numbers_are_taken_as_they_are_written(override: str, value: object) -> None:
    config = load_config(None, [override])
    found = config.model_dump()
    for part in override.partition("=")[0].split("."):
        found = found[part]
    assert (found, type(found)) == (value, type(value))


def test_an_empty_table_empties_it_and_an_empty_section_changes_nothing() -> None:
    shares = load_config("general", ["datasets=[free_music]", "shares={}", "major_shares={}"])
    assert (shares.shares, shares.major_shares) == ({}, {})
    assert load_config("general", ["train={}", "features={}"]) == load_config("general")
    # Otherwise tables are merged.
    assert load_config("general", ["shares.free_music=2"]).shares["synthetic_songs"] == 0.12


def test_options_of_their_own_are_checked_together_with_the_rest() -> None:
    config = load_config("demo", ["weights.b=0.5", "mode=audio"], {"datasets": ["a", "b"], "mode": "images"})
    assert (config.datasets, config.weights, config.mode) == (["a", "b"], {"b": 0.5}, "images")
    with pytest.raises(ConfigError, match=r"weights: demo is not among datasets \(a\)"):
        load_config("demo", ["weights.demo=2"], {"datasets": ["a"]})
    with pytest.raises(
        ConfigError, match=r"configuration nosuch: no such file; .* one of: demo, general, train$"
    ):
        load_config("nosuch")


def test_several_bad_settings_are_all_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: -1\ntrain: {epochs: 0}\n")
    with pytest.raises(ConfigError, match=rf"seed: -1 .*; train\.epochs: 0 .*\(in {file}\)"):
        load_config(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"train:\n  epochs: [1\n", r"is not YAML at line \d"),
        (b"- a\n- b\n", "contains a list; it must be a mapping"),
        (b"just words", "contains a str"),
        (b"seed: \xff\xfe", "cannot be read"),
    ],
)
def test_bad_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"{file}: .*{message}"):
        load_config(file)


def test_missing_file_lists_the_shipped_ones_and_an_empty_one_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"configuration nowhere: no such file; .*one of: demo, .*train"):
        load_config("nowhere")
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path)
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_config(tmp_path / "empty.yaml") == load_config()


def test_resolved_configuration_is_read_back_equal(tmp_path: Path) -> None:
    config = load_config(
        "demo", ["intervals.step_seconds=2.5", "model.dropout=0.1", "data_dir='Übung/ä: #1'", "datasets=[é]"]
    )
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml(), encoding="utf-8")
    assert load_resolved(file) == config
    file.write_text(config.to_yaml().replace("n_bins", "bins"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"features\.bins: no such setting.*config\.yaml"):
        load_resolved(file)


def test_another_model_drops_the_settings_of_the_old() -> None:
    config = load_config(None, ["model.maps=7", "model.name=allconv_rnn", "model.units=4"])
    assert (config.model.name, config.model.settings) == ("allconv_rnn", {"units": 4})
    kept = load_config(None, ["model.maps=7", "model={name: allconv, dropout: 0.1}"])
    assert kept.model.settings == {"maps": 7, "dropout": 0.1}


def test_configuration_is_checked_without_a_framework() -> None:
    code = (
        "import sys; from tfkey.config import load_config; load_config('demo');"
        "print({'keras', 'tensorflow', 'numpy', 'soundfile'} & set(sys.modules))"
    )
    outcome = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert (outcome.stdout.strip(), outcome.stderr) == ("set()", "")


@pytest.mark.parametrize(("samples", "frames"), [(0, 1), (2047, 1), (2048, 2), (44100 * 30, 646)])
def test_frames(samples: int, frames: int) -> None:
    assert FeatureConfig().frames(samples) == frames


def test_one_dataset_is_a_list_of_one() -> None:
    assert load_config(None, ["datasets=gs_mtg"]).datasets == ["gs_mtg"]


def test_a_name_inside_a_list_is_refused(tmp_path: Path) -> None:
    """On every Python, also where a type such as list[str] is an instance of type."""
    with pytest.raises(ConfigError, match="datasets"):
        load_config(None, ["datasets=[{x: 1}]"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data", "data"),
        ("/a b/c", "/a b/c"),
        ("file:///a/b", "/a/b"),
        ("s3://music/my data", "s3://music/my data"),
        ("S3://music/data/", "s3://music/data"),
    ],
)
def test_data_dir_is_a_path_or_a_url_that_survives_writing(text: str, expected: str, tmp_path: Path) -> None:
    if "s3" in expected:
        pytest.importorskip("upath")
    config = load_config(options={"data_dir": text})
    assert str(config.data_dir) == expected
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    again = load_resolved(tmp_path / "config.yaml")
    assert again == config
    assert str(again.data_dir) == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data_dir=s3://me:secret@music/data", "s3://music/data: contains a password"),
        ("data_dir=zz://music/data", "fsspec does not know the scheme zz://"),
        ("runs_dir=s3://music/runs", "runs_dir: s3://music/runs is a URL; give a folder on this machine"),
        ("cache_dir=s3://music/c", "cache_dir: s3://music/c is a URL; give a folder on this machine"),
        ("cache_gb=0", "cache_gb: 0 is not allowed"),
    ],
)
def test_a_url_that_is_no_place_for_this_is_an_error(override: str, message: str) -> None:
    pytest.importorskip("upath")
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override])
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
