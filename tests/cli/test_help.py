"""What --help says: every option, by group, with examples that are options, on two screens."""

import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

from jointvos.cli.app import app

COMMANDS = typer.main.get_command(app).commands
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
HEADING = re.compile(r"(\S.*?)(?: \(example: (.+)\))?:")


def help_of(command: str) -> str:
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    return done.stdout


def sections(text: str) -> dict[str, tuple[str, set[str]]]:
    """The example and the options of each section, by its title."""
    found, title = {}, ""
    for line in text.splitlines():
        if heading := HEADING.fullmatch(line):
            title = heading[1]
            found[title] = (heading[2] or "", set())
        elif title:
            found[title][1].update(OPTION.findall(line))
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_there(command):
    text = help_of(command)
    options = {name for each in COMMANDS[command].params for name in each.opts if name[0] == "-"}
    assert options <= set(OPTION.findall(text))
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_use_options_of_their_section(command):
    for title, (example, options) in sections(help_of(command)).items():
        used = {word for word in shlex.split(example) if word.startswith("-")}
        assert used or title in ("Arguments", "Options")
        assert used <= options


def test_the_help_of_segment_is_in_groups_on_two_screens():
    text = help_of("segment")
    assert [title.split(",")[0] for title in sections(text)] == [
        "Arguments",
        "Objects",
        "Outputs",
        "Frames",
        "Look",
        "Tracking",
        "Device and speed",
        "Robustness",
        "Messages",
    ]
    assert len(text.splitlines()) <= 110
