"""What a search is: values that the recipe takes, sizes and limits, the objective."""

import dataclasses

import pytest

from asc_tf import build, dataset
from asc_tf.cost import challenge
from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.tuning.engine import budget, objective, plan, space_file
from asc_tf.tuning.engine.budget import Limits, Size
from asc_tf.tuning.engine.objective import Objective
from asc_tf.tuning.engine.plan import SearchPlan


@pytest.fixture
def planned(tmp_path):
    def make(recipe, space, key="float.macro_accuracy", *, ptq=False, tuner="random"):
        if "\n" in space:
            (tmp_path / "space.toml").write_text(space)
            space = tmp_path / "space.toml"
        recipe = recipe if isinstance(recipe, resolve.Recipe) else resolve.load(recipe)
        return SearchPlan(recipe, space_file.load(space), tuner, Objective(key), Limits(), (1,), ptq, 10)

    return make


@pytest.mark.parametrize("space", space_file.names())
def test_the_quickstart_takes_every_value_of_the_shipped_spaces(planned, space):
    plan.check(planned("quickstart", space))


WRONG = {
    "key": ('["model.widht"]\nkind = "int"\nmin = 8\nmax = 16\n', "has no 'widht'. Did you mean 'width'"),
    "section": (
        '["modle.width"]\nkind = "int"\nmin = 8\nmax = 16\n',
        "there is no section 'modle'. Did you mean 'model'",
    ),
    "type": ('["model.width"]\nkind = "choice"\nchoices = [8, "wide"]\n', '= "wide": .*must be a whole number'),
    "range": ('["model.width"]\nkind = "int"\nmin = 0\nmax = 16\n', "model.width = 0: .*must be at least 1"),
    "entry": ('["augmentation.mixup.p"]\nkind = "float"\nmin = 0\nmax = 1\n', "the recipe has no 'mixup' there"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_the_recipe_refuses_is_named(tiny, planned, name):
    text, rule = WRONG[name]
    with pytest.raises(UserError, match=rule) as error:
        plan.check(planned(tiny, text))
    assert "space.toml: " in str(error.value)


def test_values_that_fit_only_together_are_accepted(tiny, planned):
    """The recipe has frozen_epochs = 1; 4 of them fit with 4 epochs or more only."""
    text = '["quantise.{}"]\nkind = "choice"\nchoices = [1, 4]\n'
    plan.check(planned(tiny, text.format("frozen_epochs") + text.format("epochs")))
    with pytest.raises(UserError, match="frozen_epochs must not exceed epochs"):
        plan.check(planned(tiny, text.format("frozen_epochs")))


def test_a_candidate_differs_in_its_settings_alone(tiny, planned):
    one = planned(tiny, "width")
    recipe = one.candidate({"model.width": 24, "train.epochs": 3})
    assert resolve.differences(recipe, one.recipe) == ["model.width: 24, 8", "train.epochs: 3, 16"]
    assert one.trained(recipe, 7).seed == 7 and one.trained(recipe, 7).quantise is None


def test_int8_objectives_need_a_quantised_network(tiny, planned):
    one = planned(tiny, "width", "int8.macro_accuracy")
    plan.check(one)
    assert one.trained(one.recipe, 1).quantise == one.recipe.quantise
    ptq = planned(tiny, "width", "int8.macro_accuracy", ptq=True)
    plan.check(ptq)
    quantise = ptq.trained(one.recipe, 1).quantise
    assert (quantise.method, quantise.calibration_clips) == ("ptq", 32)
    with pytest.raises(UserError, match="has no .quantise.; add --ptq"):
        plan.check(planned(tiny.with_name("tiny_teacher.toml"), "width", "int8.macro_accuracy"))
    with pytest.raises(UserError, match="--ptq makes int8 files"):
        plan.check(planned(tiny, "width", ptq=True))


def test_size_is_the_challenges_count():
    recipe = resolve.load("quickstart")
    counted = challenge.count(build.network(recipe, 10))
    size = budget.size(recipe, [""] * 10)
    assert size[:3] == counted and size.ram > 0


def test_layers_in_float_take_four_bytes():
    recipe = resolve.load("quickstart", ["model.grn=true"])
    size = budget.size(recipe, [""] * 10)
    assert size.parameters < size.bytes < 4 * size.parameters


def test_limits_name_what_is_exceeded():
    limits = Limits(parameters=10, ram=5)
    assert limits.exceeded(Size(11, 128_001, 30_000_000, 5)) == [
        "11 parameters are more than 10",
        "128,001 bytes of parameters are more than 128,000",
    ]
    assert limits.used_share(Size(5, 64_000, 3_000_000, 4)) == 0.8


@pytest.fixture(scope="module")
def data(tiny_in, tmp_path_factory):
    return dataset.load(resolve.load(tiny_in(tmp_path_factory.mktemp("objective"))), quiet=True)


def test_objectives_are_figures_of_the_validation_split(data):
    for key in (
        "float.macro_accuracy",
        "int8.log_loss",
        "float.by_class.low",
        "int8.cost.macs",
        "float.by_file.accuracy",
    ):
        objective.check(Objective(key), data)
    with pytest.raises(UserError, match="there is no such figure. Did you mean 'float.macro_accuracy'"):
        objective.check(Objective("float.macro_acuracy"), data)
    with pytest.raises(UserError, match="there is no such figure"):
        objective.check(Objective("macro_accuracy"), data)
    assert [Objective(key).direction for key in ("float.accuracy", "float.log_loss", "float.cost.macs")] == [
        "max",
        "min",
        "min",
    ]


def test_a_dataset_without_validation_is_refused_by_name(data):
    with pytest.raises(UserError, match="no validation split, .*must not choose by the test split.*validation_share"):
        objective.check(Objective("float.accuracy"), dataclasses.replace(data, validation=data.validation[:0]))


def test_a_figure_that_is_not_a_number_is_refused():
    with pytest.raises(UserError, match="float.accuracy is nan"):
        Objective("float.accuracy").value({"float": {"accuracy": float("nan")}})


def test_the_penalty_is_in_proportion_to_the_largest_share_of_a_limit():
    size, limits = Size(1, 64_000, 1_500_000, 0), Limits()
    assert Objective("float.accuracy", 0.1).score(0.8, size, limits) == pytest.approx(0.75)
    assert Objective("float.log_loss", 0.1).score(0.8, size, limits) == pytest.approx(0.85)
