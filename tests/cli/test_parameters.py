"""Options and arguments that no command can use are refused where they are parsed, with what is allowed."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from placer.cli import COMMANDS, cli
from placer.cli.parameters import FilePath, Number, fault_of_path

Named = tuple[str, click.Parameter]


def parameters() -> Iterator[Named]:
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        for parameter in command.params:
            yield name, parameter


def of(kind: type[click.ParamType]) -> list[Named]:
    return [(name, parameter) for name, parameter in parameters() if isinstance(parameter.type, kind)]


def shown(named: Named) -> str:
    return f"{named[0]} {named[1].name}"


def refusal(command: str, *arguments: str) -> click.UsageError:
    with pytest.raises(click.UsageError) as caught:
        cli.main([command, *arguments], standalone_mode=False)
    assert caught.value.exit_code == 2
    return caught.value


def test_every_float_and_every_path_is_of_our_types() -> None:
    for named in parameters():
        kind = named[1].type
        assert isinstance(kind, Number) or not isinstance(kind, click.types.FloatParamType), shown(named)
        assert isinstance(kind, FilePath) or not isinstance(kind, click.Path), shown(named)
    assert len(of(Number)) >= 12
    assert len(of(FilePath)) >= 25


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "-1e999", "NaN", "infinity", "1_0e", "0x10", "1e308"])
@pytest.mark.parametrize("named", of(Number), ids=shown)
def test_numbers(named: Named, value: str) -> None:
    command, option = named
    error = refusal(command, f"{option.opts[-1]}={value}")
    assert isinstance(error, click.BadParameter)
    assert error.param is not None
    assert error.param.name == option.name


@pytest.mark.parametrize("value", ["9" * 5000, "-" + "9" * 30, "1e3", "nan", "", "½", "0b1"])
@pytest.mark.parametrize("named", of(click.types.IntParamType), ids=shown)
def test_whole_numbers(named: Named, value: str) -> None:
    assert isinstance(refusal(named[0], f"{named[1].opts[-1]}={value}"), click.BadParameter)


@pytest.mark.parametrize("named", of(FilePath), ids=shown)
@pytest.mark.parametrize(
    ("value", "fault"),
    [("x" * 256, "more than 255 bytes"), ("ü" * 200, "255 bytes"), ("a/" * 3000, "longer than 4000"), ("", "empty")],
)
def test_paths(named: Named, value: str, fault: str) -> None:
    command, parameter = named
    given = [value] if isinstance(parameter, click.Argument) else [f"{parameter.opts[-1]}={value}"]
    error = refusal(command, *given)
    assert fault in error.message
    assert len(error.message) < 200


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\x1b[2J", "\x7f", "\x9b", "a\udcff", "\ud800"])
def test_text_that_no_command_can_use(command: str, text: str) -> None:
    for arguments in ([text], ["--json", text], ["--seed", text]):
        error = refusal(command, *arguments)
        assert "control character" in error.message or "not UTF-8" in error.message
        assert error.message.isprintable()


def test_what_a_file_system_takes() -> None:
    assert fault_of_path("plan.json") is None
    assert fault_of_path("x" * 255) is None
    assert fault_of_path("/".join(["x" * 200] * 19)) is None
    assert fault_of_path("ü" * 127) is None
