"""Settings: file, environment and credentials; unknown and unsafe ones are refused; the page lists exactly those that exist."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drawing.errors import Refused
from server.config import Settings, load
from tools.make_docs import settings_table

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in list(os.environ):
        if name.startswith("LOTROOM_"):
            monkeypatch.delenv(name)


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "lotroom.toml").write_text(text, "utf-8")
    return tmp_path


def test_the_page_lists_the_settings():
    text = PAGE.read_text("utf-8")
    assert settings_table() in text, "run make docs"


def test_environment_is_stronger_than_the_file_and_credentials_than_both(monkeypatch, tmp_path):
    write(tmp_path, 'origin = "https://a.example.cn"\nlisten_port = 9001\ncentre_en = "File"\n')
    assert load(os.environ, tmp_path).listen_port == 9001
    monkeypatch.setenv("LOTROOM_LISTEN_PORT", "9002")
    monkeypatch.setenv("LOTROOM_CENTRE_EN", "Environment")
    made = load(os.environ, tmp_path)
    assert (made.listen_port, made.centre_en) == (9002, "Environment")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "lotroom_centre_en").write_text("Credential", "utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert load(os.environ, tmp_path).centre_en == "Credential"


def test_a_named_file_must_be_there(monkeypatch, tmp_path):
    monkeypatch.setenv("LOTROOM_CONFIG", str(tmp_path / "other.toml"))
    with pytest.raises(Refused, match="bad_settings_file"):
        load(os.environ, tmp_path)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = ", "bad_settings_file"),
        ("listen_prot = 1", "unknown_setting"),
        ("listen_port = 70000", "bad_setting"),
        ("listen_port = 'many'", "bad_setting"),
        ("language = 'fr'", "bad_setting"),
        ("origin = 'http://draw.example.cn'", "bad_setting"),
        ("origin = 'http://draw.example.cn'\ninsecure_demo = true", "bad_setting"),
        ("origin = 'http://localhost:8080'", "bad_setting"),
        ("origin = 'https://draw.example.cn/'", "bad_setting"),
        ("origin = 'https://Draw.example.cn'", "bad_setting"),
        ("origin = 'https://draw.example.cn:443'", "bad_setting"),
        ("origin = 'https://user@draw.example.cn'", "bad_setting"),
        ("origin = 'http://localhost.evil.cn'\ninsecure_demo = true", "bad_setting"),
        ("origin = 'https://a.cn'\nmore_origins = ['http://localhost:1']\ninsecure_demo = true", "bad_setting"),
        ("origin = 'https://a.cn'\ncomplaints = [{zh = 'a'}]", "bad_setting"),
    ],
)
def test_a_wrong_setting_stops_the_start_by_name(tmp_path, text, code):
    with pytest.raises(Refused) as refused:
        load(os.environ, write(tmp_path, text))
    assert refused.value.code == code


def test_an_unknown_variable_is_not_overlooked(monkeypatch, tmp_path):
    monkeypatch.setenv("LOTROOM_ORIGN", "https://a.cn")
    with pytest.raises(Refused, match="unknown_setting"):
        load(os.environ, tmp_path)


def test_the_documented_example_loads(tmp_path):
    text = PAGE.read_text("utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]
    made = load(os.environ, write(tmp_path, example))
    assert made.encrypted
    assert made.complaints
    assert Settings(origin="https://a.cn").hosts == {"a.cn"}
