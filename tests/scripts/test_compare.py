from __future__ import annotations

import json

import pytest


@pytest.fixture
def files(tmp_path):
    """Two systems on four tracks; the first states the right keys."""
    a, b = tmp_path / "predictions.csv", tmp_path / "theirs.csv"
    lines = ["x/1,C major,C major", "x/2,A minor,C major", "x/3,D minor,D minor", "x/4,E major,B major"]
    a.write_text("track,reference,estimate\n" + "".join(f"{line},0.9\n" for line in lines))
    b.write_text("track,key\n1.mp3,8B\n2.mp3,Am\n3.mp3,X\n9.mp3,F\n")
    return a, b


def test_table_and_json_agree(tfkey, files):
    a, b = files
    code, out, err = tfkey("compare", a, b)
    assert code == 0
    assert err == [
        f"only in {a} (1): 4", f"only in {b} (1): 9",
        "tracks matched by file name without folder and suffix",
    ]  # fmt: skip
    assert out[2].startswith("3 tracks, ")
    code, out, _ = tfkey("compare", a, b, "--json")
    found = json.loads("\n".join(out))
    assert (code, found["n_tracks"], found["only_a"], found["only_b"]) == (0, 3, ["4"], ["9"])
    weighted = found["figures"]["weighted"]
    assert weighted["a"]["value"] == pytest.approx(2.3 / 3)
    assert weighted["b"]["value"] == pytest.approx(2 / 3)
    assert weighted["difference"]["value"] == pytest.approx(-0.1)
    assert weighted["difference"]["low"] < -0.1 < weighted["difference"]["high"]
    assert 0.5 < weighted["p_value"] <= 1


def test_right_keys_can_be_given(tfkey, files, tmp_path):
    a, b = files
    truth = tmp_path / "truth.csv"
    truth.write_text("track,key\n1.mp3,C\n2.mp3,Am\n")
    code, out, err = tfkey("compare", b, b, "--reference", truth, "--json")
    assert code == 0
    assert json.loads("\n".join(out))["figures"]["correct"]["a"]["value"] == 1
    assert "no reference (2): 3.mp3, 9.mp3" in err
    # A row without a key is counted.
    code, _, err = tfkey("compare", b, b, "--reference", b)
    assert code == 0
    assert err == [f"{b}: rows without a track or a key left out: 1", "no reference (1): 3.mp3"]
    # A predictions.csv gives its references, not its estimates.
    code, out, _ = tfkey("compare", a, a, "--reference", a, "--json")
    assert json.loads("\n".join(out))["figures"]["correct"]["a"]["value"] == 0.5


def test_what_cannot_be_compared_is_one_line(tfkey, files, tmp_path):
    a, b = files
    for arguments, words, expected in (
        ((a, tmp_path / "none.csv"), "none.csv: no such file", 2),
        ((b, b), "a reference if neither file states the right keys (option --reference)", 1),
    ):
        code, out, err = tfkey("compare", *arguments)
        assert (code, out, len(err)) == (expected, [], 1)
        assert words in err[0]
    b.write_text("track,key\n1.mp3,8B\n2.mp3,H-flat\n")
    code, _, err = tfkey("compare", a, b)
    assert (code, len(err)) == (1, 1)
    assert f"{b}, line 3: 'H-flat'" in err[0]
