"""The recipes of the five published systems: chains, heads, small settings and the costs that their reports print."""

import functools
import re
import tomllib
from fnmatch import fnmatch

import keras
import pytest

from asc_tf import build
from asc_tf.cost import measure
from asc_tf.recipe import resolve
from asc_tf.training import initial_weights
from asc_tf.training.network_cache import NetworkCache

SYSTEMS = ("jku2024", "irmamba2024", "hierarchical2024", "tencent2023", "ait2023")
NAMES = [name for name in resolve.names() if name.split("_")[0] in SYSTEMS]
SUBMISSIONS = [name for name in NAMES if re.fullmatch(r".*_s[1-4]|ait2023", name)]
STUDENTS = [name for name in SUBMISSIONS if name != "ait2023"] + ["ait2023_cqt", "ait2023_gammatone", "ait2023_mel"]
BASELINE, OF_2023 = (61_148, 29_419_156), (126_952, 28_893_268)
COSTS = [
    *((f"jku2024_s{number}", "T", *BASELINE) for number in (1, 2, 3)),
    ("jku2024_cp_mobile_split", "T", *BASELINE),
    ("jku2024_s1", "F", 59_794, 30_216_768),
    *((f"hierarchical2024_s{number}", "T", *OF_2023) for number in (1, 2, 3)),
    ("jku2024_cp_resnet", "T", 127_684, 28_840_396),
    ("tencent2023_s1", "T", 127_684, 28_840_396),
    ("tencent2023_s2", "F", 79_942, 21_990_724),
    ("tencent2023_s3", "F", 79_942, 21_990_724),
    ("tencent2023_s4", "F", 63_558, 19_533_124),
    ("irmamba2024_s1", "T", 107_460, 16_794_636),
    ("irmamba2024_s2", "T", 121_510, 17_369_580),
    ("irmamba2024_s3", "T", 126_432, 16_994_656),
    *((f"ait2023_{kind}", "K", 22_962 // 3, 9_755_719) for kind in ("cqt", "gammatone", "mel")),
]
TEACHERS = {
    "jku2024_s1": {"jku2024_cp_resnet": 3},
    "jku2024_s2": {"jku2024_cp_resnet": 3, "jku2024_passt": 1},
    "jku2024_s3": {"jku2024_cp_resnet": 3},
    "hierarchical2024_s1": {"hierarchical2024_model1": 1, "hierarchical2024_model2": 1},
    "hierarchical2024_s2": {"hierarchical2024_model3": 1, "hierarchical2024_model4": 1},
    "hierarchical2024_s3": {f"hierarchical2024_model{number}": 1 for number in range(1, 7)},
} | {f"tencent2023_s{number}": {"tencent2023_passt": 4} for number in (1, 2, 3, 4)}


@functools.cache
def chain(name, *, small=False):
    """A recipe and all that it depends on."""
    recipe = resolve.load(name, small=small)
    return recipe, *resolve.dependencies(recipe)


def head(name):
    """The comment at the start of a recipe's file."""
    return re.match(r"(?:#.*\n)+", resolve.find(name).read_text()).group()


def small_tables(system):
    return tomllib.loads((resolve.SHIPPED / system / resolve.SMALL).read_text())


def test_every_submission_is_shipped():
    counts = {system: sum(name.startswith(system) for name in SUBMISSIONS) for system in SYSTEMS}
    assert counts == {"jku2024": 3, "irmamba2024": 3, "hierarchical2024": 3, "tencent2023": 4, "ait2023": 1}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("small", [False, True], ids=["published", "small"])
def test_recipe_and_its_chain_resolve(name, small):
    assert all(one.dataset.name in ("tau", "audioset") for one in chain(name, small=small))


@pytest.mark.parametrize("name", NAMES)
def test_head_names_the_source_the_command_and_what_is_not_known(name):
    text = head(name)
    assert text.startswith("# Source: ") and f"#     asc-tf train {name} --data FOLDER\n" in text
    assert "not at hand" in text or "not measured here" in text
    if chain(name)[0].dataset.name == "tau":
        assert f"#     asc-tf train {name} --data FOLDER --set dataset.split=split5\n" in text
        assert "Our readings: " in text.replace("\n# ", " ")


@pytest.mark.parametrize("name", ["jku2024_s2", "hierarchical2024_s1", "tencent2023_s1", "ait2023"])
def test_a_split_of_the_command_reaches_the_whole_chain(name):
    recipe = resolve.load(name, ["dataset.split=split5"])
    on_tau = [one for one in (recipe, *resolve.dependencies(recipe)) if one.dataset.name == "tau"]
    assert {one.dataset.settings["split"] for one in on_tau} == {"split5"}


@pytest.mark.parametrize(("name", "rule", "parameters", "macs"), COSTS)
def test_costs_are_those_of_the_sources_to_the_digit(name, rule, parameters, macs):
    network = build.checked_network(chain(name)[0], 10)
    if rule == "K":  # the report counts the softmax too
        network = keras.Model(network.inputs, keras.layers.Softmax()(network.output))
    cost = measure.measure(network, rule)
    assert (cost.parameters, cost.macs) == (parameters, macs)


@pytest.mark.parametrize("name", STUDENTS)
def test_head_has_the_costs(name):
    text = head(name).replace("\n# ", " ")
    numbers = [(parameters, macs) for one, _, parameters, macs in COSTS if one == name]
    assert numbers and all(f"{number:,}" in text for pair in numbers for number in pair)


@pytest.mark.parametrize("name", TEACHERS)
def test_teachers_and_their_runs_are_those_of_the_report(name):
    assert {one.recipe: one.runs for one in chain(name)[0].teacher} == TEACHERS[name]


def test_irmamba_has_twelve_weighted_teachers():
    for number in (1, 2, 3):
        recipe = chain(f"irmamba2024_s{number}")[0]
        assert sum(one.runs for one in recipe.teacher) == 12
        assert recipe.distill.ensemble == "weighted" and {one.ensemble for one in recipe.teacher} == {"apart"}


def test_filter_augment_of_jku_can_be_switched_on():
    recipe = resolve.load("jku2024_s1", ["augmentation.filter_augment.p=1.0"])
    assert [part.settings["p"] for part in recipe.augmentation if part.name == "filter_augment"] == [1.0]


@pytest.mark.parametrize("system", SYSTEMS)
def test_small_settings_are_for_recipes_that_exist(system):
    for pattern in small_tables(system):
        assert any(fnmatch(name, pattern) for name in resolve.names()), pattern


@pytest.mark.parametrize("system", SYSTEMS)
def test_small_settings_cover_every_recipe_of_a_chain(system):
    for name in (one for one in NAMES if one.startswith(system) and one != "ait2023"):
        for one in chain(name, small=True):
            assert one.train.epochs <= 30 and one.train.batch_size <= 32, (name, one.name)


@pytest.fixture(scope="module")
def networks():
    return NetworkCache()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "ait2023" and resolve.load(name).init])
def test_the_network_of_init_fits(name, networks):
    recipe = resolve.load(name)
    initial_weights.check(recipe, resolve.initial(recipe), networks)
