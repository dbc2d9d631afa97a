"""KerasTuner's oracles, rebuilt from records for every choice."""

import itertools

import keras_tuner
import pytest

from asc_tf.errors import UserError
from asc_tf.tuning.engine import _compat, space_file, tuners
from asc_tf.tuning.engine.tuners import Choice, Draw, Known

SPACE = """
["a"]
kind = "int"
min = 1
max = 3
["b"]
kind = "choice"
choices = ["x", "y"]
["c"]
kind = "boolean"
when = { "b" = "y" }
"""
ALL = {(a, b, c) for a in (1, 2, 3) for b, c in (("x", None), ("y", False), ("y", True))}


@pytest.fixture
def choice(tmp_path):
    (tmp_path / "space.toml").write_text(SPACE)
    space = space_file.load(tmp_path / "space.toml")
    return lambda tuner, **other: Choice(
        tuner, space, **({"direction": "max", "trials": 9, "epochs": 9, "seed": 1} | other)
    )


def drawn(choice, draw):
    settings = choice.space.settings(draw.drawn)
    return settings["a"], settings["b"], settings.get("c")


def carried_out(choice, *, refuse=lambda order, draw: False, fail=lambda order: False, most=100):
    """(draws in order, known candidates) of a search in which every trial is finished before the next."""
    known, state, draws = {}, {}, []
    for order in range(most):
        draw = choice.draw(known, state)
        if not isinstance(draw, Draw):
            break
        draws.append(draw)
        trials = sum(one.status != "refused" for one in known.values())
        if refuse(order, draw):
            known[f"refused {order}"] = Known(order, draw.drawn, draw.extra, "refused")
            continue
        status = "failed" if fail(order) else "finished"
        score = None if fail(order) else float(draw.drawn["a"])
        known[f"{trials:04d}"] = Known(order, draw.drawn, draw.extra, status, score)
        state = draw.state
    return draws, known


@pytest.mark.parametrize("name", ["random", "grid", *tuners.TUNERS[2:3]])
def test_every_combination_is_drawn_once_and_then_none(choice, name):
    one = choice(name)
    draws, _ = carried_out(one)
    assert len(draws) == len(ALL) and {drawn(one, draw) for draw in draws} == ALL


@pytest.mark.parametrize("name", ["random", "grid", *tuners.TUNERS[2:3]])
def test_refused_candidates_are_not_drawn_again_and_end_nothing(choice, name):
    one = choice(name)
    draws, known = carried_out(one, refuse=lambda order, draw: draw.drawn["a"] == 2, fail=lambda order: order % 4 == 1)
    assert {drawn(one, draw) for draw in draws} == ALL and len(draws) == len(ALL)
    assert sum(item.status == "refused" for item in known.values()) == 3


@pytest.mark.parametrize("name", tuners.TUNERS)
def test_the_same_records_give_the_same_choice(choice, name):
    whole, _ = carried_out(choice(name), most=6)
    assert whole == carried_out(choice(name), most=6)[0]


@pytest.mark.parametrize("name", tuners.TUNERS)
def test_trials_of_other_processes_are_not_drawn_again(choice, name):
    known = {}
    for order in range(4):
        draw = choice(name).draw(known, {})
        known[f"{order:04d}"] = Known(order, draw.drawn, draw.extra, "running")
    values = [tuple(sorted(one.drawn.items())) for one in known.values()]
    assert len(set(values)) == 4


@pytest.mark.parametrize(("direction", "best"), [("max", 60), ("min", 0)])
def test_the_bayesian_search_goes_to_the_better_side(tmp_path, direction, best):
    (tmp_path / "line.toml").write_text("['a']\nkind = 'float'\nmin = 0\nmax = 60\n")
    one = Choice("bayesian", space_file.load(tmp_path / "line.toml"), direction, 9, 9, 1)
    draws, _ = carried_out(one, most=9)
    assert any(abs(draw.drawn["a"] - best) < 3 for draw in draws[3:])


def test_the_bayesian_search_leaves_the_side_that_is_refused(tmp_path):
    (tmp_path / "line.toml").write_text("['a']\nkind = 'float'\nmin = 0\nmax = 60\n")
    one = Choice("bayesian", space_file.load(tmp_path / "line.toml"), "max", 9, 9, 1)
    draws, _ = carried_out(one, refuse=lambda order, draw: draw.drawn["a"] > 40, most=14)
    later = [draw.drawn["a"] for draw in draws[6:]]
    assert sum(value <= 40 for value in later) >= 3


def test_hyperband_trains_many_for_one_epoch_and_the_best_for_more(tmp_path):
    (tmp_path / "line.toml").write_text("['a']\nkind = 'float'\nmin = 0\nmax = 60\n")
    draws, known = carried_out(Choice("hyperband", space_file.load(tmp_path / "line.toml"), "max", 99, 9, 1), most=17)
    epochs = [draw.extra["epochs"] for draw in draws]
    assert set(epochs) == {1, 3, 9}
    rounds = [
        [one.drawn["a"] for one in draws if one.extra["bracket"] == 2 and one.extra["round"] == n] for n in range(3)
    ]
    assert len(rounds[0]) > len(rounds[1]) > len(rounds[2]) > 0
    assert max(rounds[2]) == max(rounds[1]) == max(rounds[0])


def test_hyperband_goes_on_with_the_others_where_trials_fail(tmp_path):
    (tmp_path / "line.toml").write_text("['a']\nkind = 'float'\nmin = 0\nmax = 60\n")
    one = Choice("hyperband", space_file.load(tmp_path / "line.toml"), "max", 99, 9, 1)
    draws, known = carried_out(one, fail=lambda order: order in (1, 2, 3), most=17)
    failed = [item.drawn["a"] for item in known.values() if item.status == "failed"]
    later = [draw.drawn["a"] for draw in draws if draw.extra["round"] > 0]
    assert later and not set(failed) & set(later)


def test_hyperband_waits_for_trials_of_other_processes(tmp_path):
    (tmp_path / "line.toml").write_text("['a']\nkind = 'float'\nmin = 0\nmax = 60\n")
    one, known, state = Choice("hyperband", space_file.load(tmp_path / "line.toml"), "max", 99, 1, 1), {}, {}
    for order in itertools.count():
        draw = one.draw(known, state)
        if not isinstance(draw, Draw):
            break
        known[f"{order:04d}"], state = Known(order, draw.drawn, draw.extra, "running"), draw.state
    assert draw == tuners.IDLE and order > 0


def test_hyperband_sets_the_epochs_itself(tmp_path):
    (tmp_path / "epochs.toml").write_text("['train.epochs']\nkind = 'int'\nmin = 1\nmax = 3\n")
    space = space_file.load(tmp_path / "epochs.toml")
    tuners.check(Choice("random", space, "max", 9, 9, 1))
    with pytest.raises(UserError, match="train.epochs: Hyperband sets the epochs"):
        tuners.check(Choice("hyperband", space, "max", 9, 9, 1))


def test_an_absent_scikit_learn_is_named(choice, monkeypatch):
    monkeypatch.setattr("keras_tuner.src.tuners.bayesian.sklearn", None)
    with pytest.raises(UserError, match=r"--tuner bayesian needs scikit-learn: pip install 'asc_tf\[tuning\]'"):
        tuners.check(choice("bayesian"))


@pytest.mark.parametrize("name", _compat.NEEDED)
def test_private_parts_of_keras_tuner_are_there(name):
    oracle = getattr(keras_tuner.oracles, name, None) or getattr(keras_tuner, name)
    built = oracle(objective=keras_tuner.Objective("score", "max")) if name != "Oracle" else None
    built = built or keras_tuner.oracles.RandomSearchOracle(objective=keras_tuner.Objective("score", "max"))
    assert [part for part in _compat.NEEDED[name] if not hasattr(built, part)] == []
