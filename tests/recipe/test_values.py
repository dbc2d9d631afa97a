"""What no recipe may hold, wherever it stands: numbers that are not finite, absurd or out of range, damaged texts."""

import codecs
from typing import Annotated

import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import registry, resolve


@pytest.fixture
def shipped():
    return resolve.find("quickstart").read_text(encoding="utf-8")


def loaded(tmp_path, content):
    file = tmp_path / "own.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return resolve.load(file)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.max_bad_share=nan", "data: max_bad_share = nan must be a finite number"),
        ("train.learning_rate=inf", "train: learning_rate = inf must be a finite number"),
        ("train.learning_rate=1e999", "must be a finite number"),
        ("train.learning_rate=-0.1", "learning_rate = -0.1 must be at least"),
        ("train.epochs=1000000000000", "train: epochs is a whole number beyond 2,147,483,647"),
        (f"train.epochs=1{'0' * 5000}", "whole number"),
        ("model.width=-inf", "model: width = -inf must be a finite number"),
        ('dataset.root="a\\u0000b"', "a character with the number 0"),
        (f"model.strides={'[' * 50}{']' * 50}", "more than 20 sections and lists"),
    ],
)
def test_values_that_no_recipe_may_hold_are_refused_by_name(override, message):
    with pytest.raises(UserError, match=message):
        resolve.load("quickstart", [override])


@pytest.mark.parametrize("encoded", ["utf-8-sig", "crlf", "cr", "blanks"])
def test_recipes_are_read_however_an_editor_saves_them(tmp_path, shipped, encoded):
    contents = {
        "utf-8-sig": codecs.BOM_UTF8 + shipped.encode(),
        "crlf": shipped.replace("\n", "\r\n").encode(),
        "cr": shipped.replace("\n", "\r").encode(),
        "blanks": "".join(f"{line}  \t\n" for line in shipped.splitlines()).encode(),
    }
    assert loaded(tmp_path, contents[encoded]) == loaded(tmp_path, shipped)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seed = 1".encode("utf-16"), "saved as UTF-16; save it as UTF-8"),
        (b"seed = \xff", "is not a readable TOML file"),
        (b"a = " + b"[" * 100_000, "is not a readable TOML file"),
        (b"#" * 10_000_001, "more than 10,000,000 bytes"),
    ],
)
def test_files_that_are_no_recipes_end_in_one_line(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        loaded(tmp_path, content)


def test_a_home_that_does_not_exist_is_no_traceback():
    with pytest.raises(UserError, match="there is no such folder"):
        resolve.load("quickstart", data="~nobody-of-this-name/data")


@pytest.mark.parametrize("value", [-0.1, 1.1, [0.5, 2.0]])
def test_a_part_states_ranges_in_its_signature(value):
    hint = Annotated[float if isinstance(value, float) else list[float], registry.Allowed(0, 1)]
    with pytest.raises(UserError, match="part: p = .* must be at least 0 and at most 1"):
        registry.check_settings("part", {"p": value}, {"p": registry.REQUIRED}, {"p": hint})
