"""[[teacher]]: a recipe or a run, and what a recipe says of the logits of its teachers."""

import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import resolve

NAMED = "teacher=[{run='runs/network', layer='embedding'}, {recipe='tiny_teacher', runs=2}]"
EMBEDDING = "distill={temperature=1, label_weight=%s, teacher_weight=%s, embedding_weight=1, layer='b4_relu'}"


def test_a_run_is_no_recipe_that_is_trained(tiny, tmp_path):
    recipe = resolve.load(tiny, [NAMED, EMBEDDING % (1, 0), "teacher.runs/network.layer=logits"])
    named, trained = resolve.teachers(recipe)
    assert named == [] and [one.seed for one in trained] == [1, 2] and recipe.teacher[0].layer == "logits"
    assert [one.name for one in resolve.dependencies(recipe)] == ["tiny_teacher"] * 2
    (tmp_path / "recipe.toml").write_text(resolve.to_toml(recipe))
    assert resolve.load(tmp_path / "recipe.toml") == recipe


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("layer='b4_relu'", "teacher: give either a recipe or the folder of a run; one of the two"),
        ("recipe='tiny_teacher', run='runs/a', layer='a'", "teacher: give either a recipe or the folder of a run"),
        ("run='', layer='a'", "teacher: give either a recipe or the folder of a run"),
        ("run='runs/a', runs=2, layer='a'", "teacher: runs is for a recipe; a folder is one run"),
        ("run='runs/a', ensemble='mean', layer='a'", "teacher: ensemble merges the runs of a recipe; .* leave it out"),
    ],
)
def test_mistakes_name_the_file_and_the_fix(tiny, entry, message):
    with pytest.raises(UserError, match=f"tiny.toml: {message}"):
        resolve.load(tiny, [f"teacher=[{{{entry}}}]", EMBEDDING % (1, 0)])


@pytest.mark.parametrize(("label", "teacher", "used"), [(0, 0, False), (1, 0, False), (0.5, 0.1, True)])
def test_logits_without_a_weight_are_not_used(tiny, label, teacher, used):
    recipe = resolve.load(tiny, [NAMED, EMBEDDING % (label, teacher)])
    assert recipe.uses_logits == used
    assert resolve.changed(recipe, {"quantise.distil_from": "teachers"}, "test").uses_logits
    assert resolve.load(tiny).uses_logits and not resolve.load(tiny.parent / "tiny_teacher.toml").uses_logits
