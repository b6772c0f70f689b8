"""The library names parameters, the command line options."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Run
from PIL import Image

import jointvos
from jointvos.cli.flags import in_flags
from jointvos.errors import JointVOSError, OutputExists, UnclearBackground

PACKAGE = Path(jointvos.__file__).parent
BELOW = sorted(path for path in PACKAGE.rglob("*.py") if "cli" not in path.parts)
LIBRARY_ONLY = {"examine_mask", "VALUE", "VALUE='-'", "VALUE=VALUE", "pip install VALUE"}
"""Code in messages that no option stands for; VALUE is what a message fills in."""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("`memory_size` is 0", "--memory-size is 0", id="name"),
        pytest.param("leave out `compiled`", "leave out --compile", id="another name"),
        pytest.param("use `overwrite=True`", "use -f", id="switch"),
        pytest.param("use `gaps='any'`", "use --sparse", id="a value that has a switch"),
        pytest.param("or `device='cpu'`", "or --device cpu", id="value"),
        pytest.param(
            "pass `masks=['a b.png', FILE]`", "pass --mask 'a b.png' --mask FILE", id="list"
        ),
        pytest.param(
            "run `jointvos.checkpoints.install('x', source=FILE, force=True)`",
            "run `jointvos download-weights x --from FILE --force`",
            id="command",
        ),
        pytest.param("`version` was 1", "version was 1", id="no parameter"),
        pytest.param("run `pip install x`", "run `pip install x`", id="no code"),
        pytest.param("`f(x)` or `no_option=3`", "`f(x)` or `no_option=3`", id="unknown"),
        pytest.param("clip.mp4 `", "clip.mp4 `", id="a single backtick"),
    ],
)
def test_parameters_become_options(message, expected):
    assert in_flags(message) == expected


def test_no_module_below_the_command_line_names_an_option():
    named = {
        f"{path.relative_to(PACKAGE)}: {option}"
        for path in BELOW
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", path.read_text(encoding="utf-8"))
    }
    assert named == set()


def texts(tree: ast.AST) -> Iterator[str]:
    """Every text in the code, with VALUE for what is filled in."""
    inside = {
        id(part)
        for node in ast.walk(tree)
        for part in ast.iter_child_nodes(node)
        if isinstance(node, ast.JoinedStr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "VALUE"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in inside:
            yield str(node.value)


def errors(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and any(word.arg == "hint" for word in node.keywords):
            yield node
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield node.exc


def test_what_messages_name_are_options():
    found = {
        code
        for path in BELOW
        for error in errors(ast.parse(path.read_text(encoding="utf-8")))
        for text in texts(error)
        for code in re.findall(r"`([^`]+)`", text)
    }
    assert len(found) > 30
    unknown = {code for code in found if in_flags(f"`{code}`").strip("`") == code}
    assert unknown <= LIBRARY_ONLY


def test_an_error_tells_what_to_do_apart():
    error = OutputExists("a.csv already exists")
    assert (error.message, error.hint) == (
        "a.csv already exists",
        "use `overwrite=True` to replace it",
    )
    assert str(error) == "a.csv already exists; use `overwrite=True` to replace it"
    assert str(JointVOSError("no")) == "no"


def test_the_command_says_it_with_options(inputs):
    (inputs / "old.csv").touch()
    run = Run(inputs, "segment", "clip.mp4", "--mask", "first.png", "--stats", "old.csv").end()
    assert run.returncode == OutputExists.exit_code
    assert run.stderr == "jointvos: old.csv already exists; use -f to replace it\n"


def test_a_mask_that_can_be_mended_comes_with_the_command(inputs):
    mask = Image.new("P", (128, 96))  # the object is index 0, which counts as background
    mask.putpalette([255, 255, 255, 0, 0, 0])
    mask.paste(1, (0, 0, 128, 48))
    mask.save(inputs / "turned.png")
    run = Run(inputs, "segment", "clip.mp4", "--mask", "turned.png").end()
    assert run.returncode == UnclearBackground.exit_code
    assert "; `jointvos check-mask clip.mp4 turned.png --fix FILE` saves it " in run.stderr
