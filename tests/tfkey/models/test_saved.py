from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras
import pytest

from tfkey.errors import DataError
from tfkey.models.saved import LOAD_ERRORS, load_keras_file


def saved(path: Path, version: str | None, setting: str | None) -> Path:
    """A network as a Keras of that version would save it, with a setting that no Keras knows."""
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if version:
        members["metadata.json"] = json.dumps({"keras_version": version}).encode()
    if setting:
        members["config.json"] = members["config.json"].replace(
            b'"units"', f'"{setting}": 1, "units"'.encode()
        )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_file_of_a_later_keras_is_not_called_damaged(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.keras", "99.1.0", "axes_of_the_future")
    with pytest.raises(
        DataError, match=rf"^{path}: Keras 99\.1\.0 saved it.*install Keras 99\.1\.0 or later"
    ):
        load_keras_file(path)


@pytest.mark.parametrize(
    ("version", "setting"), [(None, "nonsense"), ("3.0.1", "nonsense"), ("later", "nonsense")]
)
def test_other_faults_stay_what_they_are(tmp_path: Path, version: str | None, setting: str) -> None:
    with pytest.raises(LOAD_ERRORS):
        load_keras_file(saved(tmp_path / "a.keras", version, setting))
    (tmp_path / "b.keras").write_bytes(b"no archive")
    with pytest.raises(LOAD_ERRORS):
        load_keras_file(tmp_path / "b.keras")


@pytest.mark.parametrize("version", [None, "99.1.0"])
def test_what_can_be_loaded_is_loaded(tmp_path: Path, version: str | None) -> None:
    assert load_keras_file(saved(tmp_path / "a.keras", version, None)).output_shape == (None, 2)
