"""Search spaces: what is read, and every mistake in one line that names file, key, rule and fix."""

import pytest

from asc_tf.errors import UserError
from asc_tf.tuning.engine import space_file


def load(tmp_path, text):
    (tmp_path / "mine.toml").write_text(text)
    return space_file.load(tmp_path / "mine.toml")


def test_a_space_has_keys_after_those_of_their_conditions(tmp_path):
    space = load(
        tmp_path,
        """
        ["a.late"]
        kind = "log"
        min = 1
        max = 100
        when = { "a.early" = "x" }
        ["a.early"]
        kind = "choice"
        choices = ["x", [1, 2]]
        names = ["ex", "list"]
        """,
    )
    assert list(space.keys) == ["a.early", "a.late"]
    assert space.settings({"a.early": 1, "a.late": 0.1 + 0.2}) == {"a.early": [1, 2], "a.late": 0.3}
    assert space.keys["a.early"].text([1, 2]) == "list" and space.keys["a.late"].text(1 / 3) == "0.333333"
    assert space.active({"a.early": "x", "a.late": 2.0}) == {"a.early": "x", "a.late": 2.0}
    assert space.active({"a.early": [1, 2], "a.late": 2.0}) == {"a.early": [1, 2]}


WRONG = {
    "nothing": ("", "has no keys"),
    "no table": ("width = 3", "width: is no table with a kind"),
    "no quotes": ("[model.width]\nkind = 'int'\nmin = 1\nmax = 2", "model: is no table with a kind"),
    "no toml": ("[", "is not a readable TOML file"),
    "kind": ("['m.w']\nkind = 'integer'", "'integer' is not a kind. Did you mean 'int'?"),
    "kind that is a list": ("['m.w']\nkind = ['int']", "is not a kind"),
    "field": ("['m.w']\nkind = 'int'\nminimum = 1\nmax = 2", "kind 'int' has no 'minimum'. Did you mean 'min'?"),
    "choices of int": ("['m.w']\nkind = 'int'\nchoices = [1]", "kind 'int' has no 'choices'"),
    "no max": ("['m.w']\nkind = 'int'\nmin = 1", "max is missing"),
    "min above max": ("['m.w']\nkind = 'int'\nmin = 3\nmax = 2", "min = 3 is more than max = 2"),
    "float for int": ("['m.w']\nkind = 'int'\nmin = 1.5\nmax = 2", "min = 1.5 must be a whole number"),
    "text": ("['m.w']\nkind = 'float'\nmin = 'a'\nmax = 2", "min = 'a' must be a number"),
    "true": ("['m.w']\nkind = 'int'\nmin = true\nmax = 2", "min = True must be a whole number"),
    "nan": ("['m.w']\nkind = 'float'\nmin = nan\nmax = 2", "must be a finite number"),
    "log of 0": ("['m.w']\nkind = 'log'\nmin = 0\nmax = 2", "min = 0 must be above 0 for kind 'log'"),
    "step of 0": ("['m.w']\nkind = 'float'\nmin = 0\nmax = 2\nstep = 0", "step = 0 must be above 0"),
    "factor of 1": ("['m.w']\nkind = 'log'\nmin = 1\nmax = 2\nstep = 1", "step = 1 must be above 1"),
    "no choices": ("['m.w']\nkind = 'choice'\nchoices = []", "choices must be a list of at least one value"),
    "choices absent": ("['m.w']\nkind = 'choice'", "choices must be a list of at least one value"),
    "twice": ("['m.w']\nkind = 'choice'\nchoices = [1, 2, 1]", "choices has 1 twice"),
    "names": ("['m.w']\nkind = 'choice'\nchoices = [1, 2]\nnames = ['a']", "names must be 2 different texts"),
    "same names": ("['m.w']\nkind = 'choice'\nchoices = [1, 2]\nnames = ['a', 'a']", "names must be 2 different"),
    "when of an unknown key": ("['m.w']\nkind = 'boolean'\nwhen = {'m.x' = 1}", "has no other key 'm.x'"),
    "when of itself": ("['m.w']\nkind = 'boolean'\nwhen = {'m.w' = true}", "has no other key 'm.w'"),
    "when that is no table": ("['m.w']\nkind = 'boolean'\nwhen = 3", "when must be a table"),
    "when of no value": ("['m.w']\nkind = 'boolean'\nwhen = {'m.x' = []}", "never drawn"),
    "when of an absent choice": (
        "['m.w']\nkind = 'boolean'\nwhen = {'m.x' = 'c'}\n['m.x']\nkind = 'choice'\nchoices = ['a', 'b']",
        "'m.x' is never 'c'",
    ),
    "when of 1 for true": (
        "['m.w']\nkind = 'boolean'\nwhen = {'m.x' = 1}\n['m.x']\nkind = 'boolean'",
        "'m.x' is never 1",
    ),
    "when between steps": (
        "['m.w']\nkind = 'boolean'\nwhen = {'m.x' = 3}\n['m.x']\nkind = 'int'\nmin = 2\nmax = 8\nstep = 2",
        "'m.x' is never 3",
    ),
    "when of a float": (
        "['m.w']\nkind = 'boolean'\nwhen = {'m.x' = 1.0}\n['m.x']\nkind = 'float'\nmin = 0\nmax = 2",
        "conditions are on int, choice and boolean",
    ),
    "circle": (
        "['m.w']\nkind = 'boolean'\nwhen = {'m.x' = true}\n['m.x']\nkind = 'boolean'\nwhen = {'m.w' = true}",
        "lead back to each other",
    ),
    "other data": ("['data.validation_share']\nkind = 'float'\nmin = 0\nmax = 0.5", "all trials have the same data"),
    "other dataset": ("['dataset']\nkind = 'choice'\nchoices = [1]", "all trials have the same dataset"),
    "seed": ("['seed']\nkind = 'int'\nmin = 1\nmax = 3", "all trials have the same seed"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_line_that_names_the_file_and_the_rule(tmp_path, name):
    text, rule = WRONG[name]
    with pytest.raises(UserError) as error:
        load(tmp_path, text)
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'mine.toml'}: ") and rule in message and "\n" not in message


def test_shipped_spaces_are_found_by_name_and_others_are_named():
    assert space_file.names() == ["cp_mobile", "distillation", "front_end", "width"]
    for name in space_file.names():
        assert space_file.load(name).keys
    with pytest.raises(UserError, match="Did you mean 'width'"):
        space_file.load("widht")
