from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.evaluate import command as evaluate
from scripts.export import command as export
from scripts.main import cli
from scripts.predict import command as predict
from scripts.prepare import command as prepare
from scripts.remedies import _COMMANDS, _OPTIONS, blame_options, message_of
from scripts.train import command as train
from tfkey.errors import DataError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("remedy", "details", "command", "hint"),
    [
        (None, {}, train, ""),
        ("name", {}, train, " (option --name)"),
        ("name", {}, evaluate, ""),
        ("source", {}, prepare, " (option --source)"),
        ("source", {}, train, ""),
        ("format", {"format": "onnx"}, export, " (option --format onnx)"),
        ("parameters", {}, train, " (options --config, -o, --data-dir)"),
        ("parameters", {}, evaluate, " (option --data-dir)"),
        ("replace", {}, prepare, " (options --config, -o, --data-dir, --replace)"),
        ("train", {}, predict, " (run tfkey train)"),
        ("train", {"name": "first"}, export, " (run tfkey train --name first)"),
        ("export", {"format": "litert"}, predict, " (run tfkey export --format litert)"),
        (
            "prepare",
            {"mode": "audio", "dataset": "mine", "source": "YOUR_DATA"},
            evaluate,
            " (run tfkey prepare --mode audio --dataset mine --source YOUR_DATA)",
        ),
        (
            "prepare",
            {"mode": "audio", "dataset": "demo"},
            train,
            " (run tfkey prepare --mode audio --dataset demo with the --config and -o of this command)",
        ),
    ],
)
def test_message_names_the_options_that_the_command_has(remedy, details, command, hint):
    assert message_of(DataError("lost", remedy=remedy, details=details), command) == f"lost{hint}"


def test_overrides_are_named_as_they_were_typed():
    message = "train.epochs: 0 is not allowed (in the override train.epochs=0)"
    expected = "train.epochs: 0 is not allowed (in -o train.epochs=0)"
    assert blame_options(message, ["seed=1", "train.epochs=0"]) == expected


def test_every_remedy_of_the_library_is_known():
    known = {*_OPTIONS, *_COMMANDS}
    raised = {
        constant.value
        for package in ("tfkey", "pipelines")
        for path in (ROOT / package).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "remedy"
        for constant in ast.walk(keyword.value)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    }
    assert raised == known
    commands = [cli.get_command(None, name) for name in cli.list_commands(None)]
    options = {name for command in commands for parameter in command.params for name in parameter.opts}
    assert options.issuperset(name for names in _OPTIONS.values() for name in names)


@pytest.mark.parametrize(
    ("arguments", "start", "end"),
    [
        (("-o", "train.batch_size=0"), "train.batch_size: 0 is not allowed", "(in -o train.batch_size=0)"),
        (("-o", "train.epochs"), "-o train.epochs: write it as section.setting=value", "train.batch_size=32"),
        (("--config", "nosuch"), "configuration nosuch: no such file", "(option --config)"),
        (("--name", "../x"), "name '../x': give a valid folder name", "(option --name)"),
    ],
)
def test_user_of_the_command_sees_which_option_to_use(tfkey, lab, arguments, start, end):
    settings = () if "--config" in arguments else ("--config", lab / "settings.yaml")
    code, out, err = tfkey("train", *settings, "--dataset", "small", *arguments)
    assert (code, out, len(err)) == (2, [], 1)
    assert err[0].startswith(f"tfkey: {start}")
    assert err[0].endswith(end)
