"""The runs that a recipe needs: with which data and seed, in which folders, and which of them are taken as they are."""

import pytest

from asc_tf.chain.stages import in_order, stages
from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.runs.folder import RunFolder


@pytest.fixture
def write(tiny):
    """Writes a recipe beside the tiny one: its teacher's text with a further one."""
    text = (tiny.parent / "tiny_teacher.toml").read_text()

    def write(name, further):
        (tiny.parent / f"{name}.toml").write_text(text + further)
        return tiny.parent / f"{name}.toml"

    return write


@pytest.fixture
def of(tmp_path):
    """The last stage of a recipe's file, its run in `runs/own`."""
    return lambda file, *overrides: stages(resolve.load(file, overrides), tmp_path / "runs/own")


@pytest.fixture
def imported(tmp_path):
    """Writes an imported run beside `runs/own`."""

    def write(name, recipe):
        run = RunFolder(tmp_path / "runs" / name, recipe)
        run.write("recipe.toml", resolve.to_toml(recipe))
        run.write("labels.txt", "high\nlow\n")
        run.write("import.txt", f"weights of {name}\n")
        return run.path

    return write


def share(stage):
    return stage.recipe.dataset.settings["test_share"]


@pytest.mark.parametrize(("keys", "expected"), [("", (0.3, 0.2)), ("same_data = true\n", (0.5, 0.4))])
def test_a_former_stage_has_its_own_data_or_those_of_the_recipe(write, of, keys, expected):
    later = write("later", f'[init]\nrecipe = "tiny_teacher"\n{keys}')
    before = of(later, "dataset.test_share=0.5", "data.validation_share=0.4", "seed=5").initial
    assert (share(before), before.recipe.data.validation_share) == expected
    assert before.title == "init" and before.recipe.seed == 5 and before.path.name.startswith("tiny_teacher-5-")


def test_runs_of_all_seeds_may_start_from_one(write, of):
    later = write("later", '[init]\nrecipe = "tiny_teacher"\nseed = 3\n')
    first, second = (of(later, f"seed={seed}").initial for seed in (1, 2))
    assert first.recipe.seed == 3 and first.path == second.path


def test_teachers_are_trained_on_the_students_data(tiny, of):
    student = of(tiny, "teacher.tiny_teacher.runs=2", "dataset.test_share=0.5", "seed=9")
    ((first, second),) = student.teachers
    assert share(first) == share(second) == 0.5 and [first.recipe.seed, second.recipe.seed] == [1, 2]
    assert student.title == "student" and first.title == "teacher" and first.path.parent == student.path.parent


SYSTEM = """seed = 4
[dataset]
name = "folder"
root = "sounds"
test_share = 0.4
[[member]]
recipe = "tiny"
[[member]]
recipe = "tiny_teacher"
runs = 2
[fuse]
method = "prod"
"""


@pytest.fixture
def system(tiny):
    (tiny.parent / "system.toml").write_text(SYSTEM)
    return tiny.parent / "system.toml"


def test_members_and_their_teachers_are_trained_on_the_systems_data(system, of):
    last = of(system)
    assert last.title == "system" and [one.title for one in last.members] == ["member"] * 3
    assert [one.recipe.seed for one in last.members] == [4, 4, 5]
    ((teacher,),) = last.members[0].teachers
    assert {share(one) for one in in_order(last)} == {0.4} and teacher.recipe.seed == 1
    assert [one.recipe.name for one in in_order(last)] == [
        "tiny_teacher",
        "tiny",
        "tiny_teacher",
        "tiny_teacher",
        "system",
    ]


def test_a_member_may_be_a_run_that_is_finished(tiny, of, tmp_path):
    text = SYSTEM.replace('recipe = "tiny"', f'run = "{tmp_path}/elsewhere"')
    (tiny.parent / "system.toml").write_text(text)
    run = RunFolder(tmp_path / "elsewhere", resolve.load(tiny))
    run.write("recipe.toml", resolve.to_toml(run.recipe))
    with pytest.raises(UserError, match="system.toml: member.run = .*elsewhere' is not finished"):
        of(tiny.parent / "system.toml")
    run.write("metrics.json", "{}")
    member = of(tiny.parent / "system.toml").members[0]
    assert member.path == run.path and member.done and not member.teachers


def test_a_teacher_may_be_a_run_which_is_taken_as_it_is(tiny, of, imported):
    path = imported("network", resolve.load(tiny.parent / "tiny_teacher.toml", ["seed=5", "dataset.root=nowhere"]))
    keys = [f"teacher=[{{run='{path}'}}, {{recipe='tiny_teacher'}}]", "data.segment_s=0.5"]
    student = of(tiny, *keys)
    ((named,), (trained,)) = student.teachers
    assert named.path == path and named.done and named.title == "teacher" and not named.before
    recipe = named.recipe
    assert (recipe.dataset, recipe.data, recipe.seed) == (student.recipe.dataset, student.recipe.data, 5)
    assert recipe.labels == ("high", "low")
    assert student.named_teachers == [(student.recipe.teacher[0], named)] and not trained.done
    (path / "import.txt").unlink()
    with pytest.raises(UserError, match="tiny.toml: teacher.run = .*network' is not finished; train it to its end"):
        of(tiny, *keys)


def test_a_run_that_learns_from_other_weights_has_another_name(tiny, write, of, imported, monkeypatch):
    path = imported("network", resolve.load(tiny.parent / "tiny_teacher.toml", ["model.width=16"]))
    monkeypatch.chdir(path.parent)
    distil = '[[teacher]]\nrun = "network"\n[distill]\ntemperature = 1.0\nlabel_weight = 0.5\n'
    write("before", distil)
    write("middle", '[init]\nrecipe = "before"\n')
    last = write("last", '[init]\nrecipe = "middle"\n')
    first = names(of(last))
    assert len(first) == 3 and names(of(last)) == first
    for file in ("labels.txt", "weights/best.weights.h5"):
        (path / file).parent.mkdir(exist_ok=True)
        (path / file).write_text("other\nones\n")
        assert not {*names(of(last))[1:]} & {*first[1:]}
        first += names(of(last))


def names(last):
    """Names of the runs before the last one."""
    return [one.path.name for one in in_order(last)[:-1]]


def test_submissions_of_the_same_split_share_their_stages(tiny, of):
    other = tiny.parent / "other.toml"
    other.write_text(tiny.read_text().replace("temperature = 2.0", "temperature = 4.0"))
    assert names(of(tiny)) == names(of(other)) != []
    assert names(of(tiny, "seed=2")) == names(of(tiny))


def test_another_split_has_other_teachers_but_the_same_stage_on_its_own_data(tiny, of):
    (tiny.parent / "before.toml").write_text((tiny.parent / "tiny_teacher.toml").read_text())
    start = "init={recipe='before'}"
    before, teacher = names(of(tiny, start))
    other_before, other_teacher = names(of(tiny, start, "dataset.test_share=0.5"))
    assert before == other_before and teacher != other_teacher
    assert names(of(tiny, "init={recipe='before', same_data=true}", "dataset.test_share=0.5"))[0] != before


def test_a_change_of_a_stage_before_renames_all_that_come_after(write, of):
    write("middle", '[init]\nrecipe = "tiny_teacher"\n')
    last = write("last", '[init]\nrecipe = "middle"\n')
    plain, changed = names(of(last)), names(of(last, "tiny_teacher:train.epochs=2"))
    assert len(plain) == len(changed) == 2 and not set(plain) & set(changed)


def test_an_imported_run_is_taken_for_the_recipe_that_it_is_of(write, of, imported):
    later = write("later", '[init]\nrecipe = "tiny_teacher"\n')
    before = of(later).initial
    assert not before.done
    imported("another", resolve.load(later, ["model.width=16"]))
    assert of(later).initial.path == before.path
    # Data, training and augmentation of an imported run do not matter.
    path = imported("weights", resolve.load(later, ["train.epochs=1", "augmentation=[]", "dataset.root=nowhere"]))
    taken = of(later).initial
    assert taken.path == path and taken.done and taken.title == "init" and not taken.before
    assert [one.path.name for one in in_order(of(later), to_do=True)] == ["own"]


def test_runs_that_start_from_other_weights_have_other_names(write, tiny, of, imported):
    before = write("before", "")
    write("tiny_teacher", '[init]\nrecipe = "before"\n')
    found = {of(tiny).teachers[0][0].path.name}
    for text in ("some", "other"):
        path = imported("weights", resolve.load(before))
        (path / "import.txt").write_text(f"{text} weights")
        found.add(of(tiny).teachers[0][0].path.name)
    assert len(found) == 3


def test_several_imported_runs_that_fit_are_an_error(write, of, imported):
    later = write("later", '[init]\nrecipe = "tiny_teacher"\n')
    paths = [imported(name, resolve.load(later)) for name in ("one", "two")]
    with pytest.raises(
        UserError, match=r"later.toml: init.recipe = 'tiny_teacher': several imported runs fit: "
    ) as error:
        of(later)
    assert all(str(path) in str(error.value) for path in paths) and "init.run" in str(error.value)
    assert of(later, f"init={{run='{paths[1]}'}}").initial.path == paths[1]


def test_a_circle_is_an_error(write, of):
    write("one", '[init]\nrecipe = "two"\n')
    two = write("two", '[init]\nrecipe = "one"\n')
    with pytest.raises(UserError, match=r"lead back to this recipe \(one -> two -> one\); break the circle"):
        of(two)


def test_what_only_a_finished_run_would_need_is_not_to_be_done(write, tiny, of):
    write("before", "")
    write("tiny_teacher", '[init]\nrecipe = "before"\n')
    student = of(tiny)
    assert [one.title for one in in_order(student)] == ["init", "teacher", "student"]
    student.teachers[0][0].run.write("metrics.json", "{}")
    assert [one.title for one in in_order(student, to_do=True)] == ["student"]
    assert len(in_order(student)) == 3


def test_a_run_that_two_stages_need_is_there_once(write, tiny, of):
    write("before", "")
    write("tiny_teacher", '[init]\nrecipe = "before"\n')
    student = of(tiny, "init={recipe='before'}")
    assert student.initial.path == student.teachers[0][0].initial.path
    assert [one.title for one in in_order(student)] == ["init", "teacher", "student"]
