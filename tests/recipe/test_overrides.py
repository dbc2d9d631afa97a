"""Values for all recipes of a chain: --set PATTERN:section.key=value, and small.toml beside the recipe."""

import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import overrides, resolve


def chain(file, *texts, **options):
    """(the recipe, its teacher's)."""
    loaded = resolve.load(file, texts, **options)
    return loaded, resolve.teachers(loaded)[0][0]


def epochs(file, *texts, **options):
    return [one.train.epochs for one in chain(file, *texts, **options)]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["tiny_*:train.epochs=3"], [16, 3]),
        (["tiny:train.epochs=3"], [3, 16]),
        (["*:train.epochs=3"], [3, 3]),
        (["train.epochs=3"], [3, 16]),
        (["train.epochs=4", "*:train.epochs=3"], [4, 3]),  # what is set for one recipe goes last
        (["*:train.epochs=3", "tiny_teacher:train.epochs=5"], [3, 5]),
    ],
)
def test_a_value_reaches_the_recipes_whose_name_matches(tiny, texts, expected):
    assert epochs(tiny, *texts) == expected


def test_entries_of_lists_and_whole_sections_of_a_chain(tiny):
    student, teacher = chain(
        tiny, "tiny_teacher:augmentation.freq_mixstyle.p=0.7", "*:normalise={by='constants', mean=1, std=2}"
    )
    assert [one.augmentation[1].settings["p"] for one in (student, teacher)] == [0.2, 0.7]
    assert [one.normalise.mean for one in (student, teacher)] == [1, 1]


def test_a_pattern_that_no_recipe_has_is_an_error(tiny):
    with pytest.raises(UserError, match=r"^--set other_\*:train.epochs=3: no recipe of this chain .* tiny, tiny_teach"):
        resolve.load(tiny, ["other_*:train.epochs=3"])


def test_a_wrong_key_of_a_pattern_names_the_text(tiny):
    with pytest.raises(UserError, match="--set tiny_teacher:trian.epochs=3: there is no section 'trian'. Did you mean"):
        resolve.load(tiny, ["tiny_teacher:trian.epochs=3"])


@pytest.mark.parametrize("text", ['dataset.root="C:/sounds"', "dataset.root=C:/a=b", 'dataset={root="a:b.c=d"}'])
def test_a_colon_of_a_value_ends_no_pattern(text):
    assert overrides.of_chain([text]) == ([text], [])


SMALL = """["tiny_*"]
"train.epochs" = 2
"model" = { name = "ait_student", width = 4, embedding = 8, dropout = [0, 0, 0, 0, 0] }
["absent_*"]
"train.epochs" = 9
"""


def test_small_settings_are_those_beside_the_recipe(tiny):
    (tiny.parent / "small.toml").write_text(SMALL)
    student, teacher = chain(tiny, small=True)
    assert (student.train.epochs, student.model.name) == (16, "cp_mobile")
    assert (teacher.train.epochs, teacher.model.name) == (2, "ait_student") and "growth" not in teacher.model.settings
    assert epochs(tiny) == [16, 16]
    assert epochs(tiny, "tiny_*:train.epochs=4", small=True) == [16, 4]  # --set is stronger


def test_small_settings_are_no_keys_of_the_recipe(tiny):
    (tiny.parent / "small.toml").write_text('["*"]\n"train.epochs" = 2\n')
    loaded = resolve.load(tiny, small=True)
    copy = tiny.parent / "copy.toml"
    copy.write_text(resolve.to_toml(loaded))
    assert resolve.load(copy) == loaded and "small" not in resolve.names()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "small.toml: is not a readable TOML file"),
        ("epochs = 2", "small.toml: 'epochs' is a value; write a table"),
        ('["*"]\n"trian.epochs" = 2', r"small.toml: trian.epochs: there is no section 'trian'. Did you mean 'train'"),
        ('["*"]\n"train.epoch" = 2', r"tiny.toml: .*'epoch'. Did you mean 'epochs'"),
    ],
)
def test_mistakes_in_small_settings_are_named(tiny, text, message):
    if text:
        (tiny.parent / "small.toml").write_text(text)
    with pytest.raises(UserError, match=message):
        resolve.load(tiny, small=True)
