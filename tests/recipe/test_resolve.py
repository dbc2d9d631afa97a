import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import resolve as recipe

SHIPPED = recipe.names()


def written(tmp_path, change=lambda text: text, name="mine.toml"):
    file = tmp_path / name
    file.write_text(change((recipe.SHIPPED / "quickstart.toml").read_text()))
    return file


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_are_right_and_survive_writing(name, tmp_path):
    loaded = recipe.load(name)
    copy = tmp_path / "recipe.toml"
    copy.write_text(recipe.to_toml(loaded))
    assert recipe.load(copy) == loaded
    assert recipe.differences(recipe.load(copy), loaded) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width = 32", "widht = 32", "models/cp_mobile has no 'widht'. Did you mean 'width'"),
        ('name = "cp_mobile"', 'name = "cp_mobil"', "Did you mean 'cp_mobile'"),
        ("[train]", "[trian]", "no section or key 'trian'. Did you mean 'train'"),
        ("epochs = 24", "epochs = 0", "train: epochs = 0 must be at least 1"),
        ("epochs = 24", "epochs = 3.5", "train: epochs = 3.5 must be a whole number"),
        ("batch_size = 32\n", "", "train needs 'batch_size'"),
        ("seed = 1", "seed = -1", "seed = -1 must be at least 0"),
        (
            "label_weight = 0.3",
            "label_weight = 1.1",
            "distill: label_weight = 1.1 must be at least 0.0 and at most 1.0",
        ),
        ("[[augmentation]]", "[augmentation]", "write \\[\\[augmentation\\]\\]|Cannot"),
        ("frozen_epochs = 2", "frozen_epochs = 99", "frozen_epochs must not exceed epochs"),
        ("frozen_epochs = 2", "", 'quantise: frozen_epochs missing; or write method = "ptq"'),
        ("[quantise]", '[quantise]\nmethod = "ptq"', 'method = "ptq" does not train: leave epochs, frozen_epochs'),
        (
            "[quantise]",
            '[quantise]\nwithout = ["time_rol"]',
            "quantise: without = 'time_rol' is no augmentation here. Did you mean 'time_roll'",
        ),
        ("[quantise]", "[quantise]\ntemperature = 0", "quantise: temperature = 0.0 must be at least 0.1"),
        ("seed = 1", "seed = ", "is not a readable TOML file"),
        ("[train]", '[normalise]\nby = "constants"\nmean = 1\n[train]', "needs both mean and std"),
        ("[train]", '[normalise]\nby = "bands"\nmean = 1\n[train]', "leave mean out"),
        (
            "[train]",
            '[normalise]\nby = "band"\n[train]',
            "normalise: by = 'band' is not a choice. Did you mean 'bands'",
        ),
        (
            "[train]",
            '[normalise]\nby = "constants"\nmean = 0\nstd = 0\n[train]',
            "normalise: std = 0.0 must be at least 1e-09",
        ),
        (
            "label_weight = 0.3",
            "label_weight = {start = 1, end = 0.5, first_epoch = 4, last_epoch = 4}",
            "distill: label_weight: last_epoch = 4 must be after first_epoch = 4",
        ),
        ('flavour = "htk"', 'flavour = "htc"', "flavour = 'htc' is not a choice. Did you mean 'htk'"),
    ],
)
def test_mistakes_name_the_file_the_key_and_the_fix(tmp_path, old, new, message):
    file = written(tmp_path, lambda text: text.replace(old, new, 1))
    with pytest.raises(UserError, match=message) as error:
        recipe.load(file)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("section", ['{by="bands"}', '{by="constants", mean=-4.5, std=5}'])
def test_what_is_left_out_of_a_section_stays_out(section, tmp_path):
    loaded = recipe.load("quickstart", [f"normalise={section}"])
    copy = tmp_path / "recipe.toml"
    copy.write_text(recipe.to_toml(loaded))
    assert recipe.load(copy).normalise == loaded.normalise is not None


def test_distill_needs_a_teacher(tmp_path):
    file = written(tmp_path, lambda text: text.replace('[[teacher]]\nrecipe = "quickstart_teacher"\nruns = 1\n', ""))
    with pytest.raises(UserError, match="belong together"):
        recipe.load(file)


def test_overrides_reach_every_kind_of_key():
    changed = recipe.load(
        "quickstart",
        [
            "seed=7",
            "model.width=24",
            "train.learning_rate=1e-3",
            "augmentation.freq_mixstyle.p=0",
            "teacher.quickstart_teacher.runs=3",
            "dataset.root=some/where",
        ],
    )
    assert (changed.seed, changed.model.settings["width"], changed.train.learning_rate) == (7, 24, 1e-3)
    assert changed.augmentation[-1].settings["p"] == 0.0
    assert changed.teacher[0].runs == 3
    assert changed.dataset.settings["root"] == "some/where"
    assert recipe.differences(changed, recipe.load("quickstart", ["seed=7"]))[0].startswith(
        "augmentation.freq_mixstyle.p"
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "write section.key=value"),
        ("trian.epochs=1", "Did you mean 'train'"),
        ("train.epoch=1", "Did you mean 'epochs'"),
        ("augmentation.fmix.p=1", "has no 'fmix' there"),
        ("augmentation=1", "is a list of sections"),
        ("model.width=wide", "must be a whole number"),
    ],
)
def test_wrong_overrides(override, message):
    with pytest.raises(UserError, match=message):
        recipe.load("quickstart", [override])


def test_unknown_recipe_names_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'quickstart'"):
        recipe.load("quikstart")


def test_what_is_not_there_cannot_be_followed():
    with pytest.raises(UserError, match="distil_from = 'teachers', but the recipe has no"):
        recipe.load("esc10_cp_mobile", ["quantise.distil_from=teachers"])


@pytest.mark.parametrize("start", ['recipe = "quickstart"\nrun = "runs/other"', "keep_head = true"])
def test_a_start_is_either_a_recipe_or_a_run(tmp_path, start):
    with pytest.raises(UserError, match="init: give either the recipe .* or the run; one of the two"):
        recipe.load(written(tmp_path, lambda text: f"{text}\n[init]\n{start}\n"))


def test_what_a_recipe_needs_comes_before_it(tmp_path):
    for name, before in (("one", "quickstart_teacher"), ("two", "one")):
        written(tmp_path, lambda text, before=before: f'{text}\n[init]\nrecipe = "{before}"\n', f"{name}.toml")
    needed = recipe.dependencies(recipe.load(tmp_path / "two.toml"))
    # The teachers of both, and what "one" starts from.
    assert [before.name for before in needed] == ["quickstart_teacher"] * 3 + ["one"]


def test_a_recipe_that_needs_itself_is_an_error(tmp_path):
    for name, before in (("one", "three"), ("two", "./one"), ("three", "two")):
        written(tmp_path, lambda text, before=before: f'{text}\n[init]\nrecipe = "{before}"\n', f"{name}.toml")
    with pytest.raises(UserError, match=r"lead back to this recipe \(two -> one -> three -> two\); break the circle"):
        recipe.dependencies(recipe.load(tmp_path / "three.toml"))
    # An override can break it: born again from its own file's run.
    written(tmp_path, name="plain.toml")
    again = recipe.load(tmp_path / "plain.toml", ['init.recipe="plain"'])
    assert [before.name for before in recipe.dependencies(again)] == ["quickstart_teacher"] * 2 + ["plain"]


def test_settings_without_a_value_are_left_out_of_the_toml(tmp_path):
    loaded = recipe.load("quickstart", ['model={name="cp_resnet", width=32, rho=8}'])
    (tmp_path / "recipe.toml").write_text(recipe.to_toml(loaded))
    assert loaded.model.settings["left_out"] is None and recipe.load(tmp_path / "recipe.toml") == loaded
