"""The coordinator's configuration and folder: read strictly, printed with its defaults, made once."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedstats.coordinator.config import Config, Limits, config_of, read_config, toml_of
from fedstats.coordinator.home import Home, init
from fedstats.errors import AlreadyExists, ConfigInvalid, FileProblem

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CONFIG = Config(address="localhost:18443", listen="127.0.0.1:18443")


def uncommented(text: str) -> str:
    """The file with every default switched on."""
    return "".join(
        line.removeprefix("# ") if " = " in line else line for line in text.splitlines(keepends=True)
    )


def test_the_example_shows_every_setting_with_its_default() -> None:
    """The printed example is a valid file, before and after its comments are taken away."""
    text = toml_of(Config())
    for form in (text, uncommented(text)):
        assert config_of(tomllib.loads(form)) == Config()
    for setting in (*fields(Config), *fields(Limits)):
        assert f"{setting.name} = " in text or f"[{setting.name}]" in text


def test_what_differs_from_its_default_survives_a_round_trip() -> None:
    """A configuration that is printed and read again is the same, quotes and umlauts included."""
    config = Config(
        address="stats.example:443",
        listen="[::1]:443",
        hosts=("10.0.0.1", "b.example"),
        title='The "Überall" federation',
        limits=Limits(lease_s=5),
    )
    assert config_of(tomllib.loads(toml_of(config))) == config
    assert config.certificate_hosts == ("stats.example", "10.0.0.1", "b.example")


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "address is missing"),
        ('address = "a.example"', "HOST:PORT"),
        ('address = "a.example:1"\nadress = 1', "unknown keys: adress"),
        ('address = "a.example:1"\n[limits]\nleases = 1', "unknown keys: leases"),
        ('address = "a.example:1"\n[limits]\nlease_s = 0', "limits.lease_s must lie between"),
        ('address = "a.example:1"\n[limits]\nlease_s = true', "whole number"),
        ('address = "a.example:1"\nhosts = ["a b"]', "not a host name"),
        ('address = "a.example:1"\ntitle = ""', "title"),
        ("address = ", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    """A misspelt key, a missing one and a value out of range are named, not passed over."""
    path = tmp_path / "coordinator.toml"
    path.write_text(text)
    with pytest.raises(ConfigInvalid, match=said):
        read_config(path)


def test_a_missing_file_says_what_to_type(tmp_path: Path) -> None:
    """Without a configuration there is no coordinator in this folder."""
    with pytest.raises(FileProblem) as told:
        read_config(tmp_path / "coordinator.toml")
    assert "fedstats coordinator init" in told.value.advice


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    """Init makes a private folder with everything in it, and refuses to do it again."""
    home = Home(tmp_path / "coordinator")
    authority = init(home, CONFIG, now=NOW)
    assert home.folder.stat().st_mode & 0o777 == 0o700
    assert home.config() == CONFIG
    assert home.authority().certificate_der == authority.certificate_der
    home.store().close()
    with pytest.raises(AlreadyExists):
        init(home, CONFIG, now=NOW)


def test_an_interrupted_init_may_be_repeated(tmp_path: Path) -> None:
    """After a crash before its last step, a repeated init keeps the authority and the store."""
    home = Home(tmp_path)
    authority = init(home, CONFIG, now=NOW)
    home.config_file.unlink()
    assert init(home, CONFIG, now=NOW).certificate_der == authority.certificate_der
