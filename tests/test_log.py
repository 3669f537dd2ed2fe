from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.log import LINE_MAX, configure

TOKEN = "ost_" + "a" * 43


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    logger, kept = logging.getLogger("pyopenshell"), logging.raiseExceptions
    yield
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate, logging.raiseExceptions = True, kept
    logger.setLevel(logging.NOTSET)


def emit(fmt: str, message: str, *args: object, name: str = "pyopenshell.gateway", **options: object) -> str:
    stream = io.StringIO()
    configure("debug", fmt=fmt, stream=stream)
    record = logging.LogRecord(name, logging.INFO, "", 1, message, args, options.get("exc_info"))  # type: ignore[arg-type]
    record.created, record.msecs = 0.25, 250.0
    logging.getLogger(name).handle(record)
    return stream.getvalue()


def test_text_form() -> None:
    assert emit("text", "sandbox %s is %s", "web", "ready") == (
        "1970-01-01T00:00:00.250Z info gateway: sandbox web is ready\n"
    )


def test_json_form() -> None:
    assert json.loads(emit("json", "ünder %d", 7)) == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "info",
        "logger": "gateway",
        "message": "ünder 7",
    }


@pytest.mark.parametrize("fmt", ["text", "json"])
def test_controls_and_secrets_do_not_get_through(fmt: str) -> None:
    out = emit(fmt, "name %s", f"\x1b[2J\nfake info line {TOKEN}\udcff")
    assert out.count("\n") == 1
    assert "\x1b" not in out
    assert TOKEN not in out
    assert "[hidden]" in out
    out.encode()


def test_a_long_message_is_cut() -> None:
    assert len(emit("text", "x" * 10**6)) < LINE_MAX + 200


@pytest.mark.parametrize("fmt", ["text", "json"])
def test_a_trace_is_kept_and_cleaned(fmt: str) -> None:
    try:
        raise ValueError(f"bad \x1b[0m {TOKEN}")
    except ValueError as error:
        out = emit(fmt, "failed", exc_info=(type(error), error, error.__traceback__))
    assert "ValueError: bad" in out
    assert "\x1b" not in out
    assert TOKEN not in out
    if fmt == "text":
        assert all(line.startswith("    ") for line in out.splitlines()[1:])
    else:
        assert "ValueError" in json.loads(out)["trace"][-1]


def test_levels_cut_off_and_a_second_call_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("debug", stream=first)
    logger = configure("warning", stream=second)
    logger.info("not said")
    logger.getChild("x").warning("said")
    assert first.getvalue() == ""
    assert second.getvalue().endswith(" warning x: said\n")


def test_a_file_is_private_and_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "gateway.log"
    for text in ("one", "two"):
        configure(file=file).info(text)
    assert [line.rsplit(" ")[-1] for line in file.read_text().splitlines()] == ["one", "two"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    logger = configure(file=Path("/dev/full"))
    logger.info("lost")
    handler = logger.handlers[0]
    logger.removeHandler(handler)
    with pytest.raises(OSError, match="No space left"):
        handler.close()
    assert capsys.readouterr().err == ""


def test_bad_settings_and_bad_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OpenShellError, match="log level 'loud'") as caught:
        configure("loud")
    assert caught.value.code is Code.INVALID
    with pytest.raises(OpenShellError, match="log format 'xml'"):
        configure(fmt="xml")
    with pytest.raises(OpenShellError, match="cannot be opened: No such file") as caught:
        configure(file=tmp_path / "gone" / "x.log")
    assert caught.value.code is Code.PRECONDITION
