import numpy as np
import pytest
from keras import ops

from asc_tf.data.synthetic.scenes import SCENES
from asc_tf.distillation import hierarchy
from asc_tf.errors import UserError

GROUPS = {"a": ["x", "z"], "b": ["y"]}


def test_tau_has_the_groups_of_the_report():
    # sheet: "map vector [0,2,2,0,1,1,0,1,1,2]" of the classes in alphabetical order
    assert list(SCENES) == sorted(SCENES)
    assert hierarchy.membership("tau", SCENES).argmax(1).tolist() == [0, 2, 2, 0, 1, 1, 0, 1, 1, 2]


def test_a_group_is_as_likely_as_its_classes_together():
    # probabilities 1/8, 5/8, 2/8 of x, y, z; a clip that is 3/4 y, 1/4 z: groups 1/4 a, 3/4 b
    member = hierarchy.membership(GROUPS, ("x", "y", "z"))
    groups = hierarchy.log_probabilities(ops.log(ops.convert_to_tensor([[1.0, 5.0, 2.0]])), member)
    np.testing.assert_allclose(groups, np.log([[3 / 8, 5 / 8]]), atol=1e-6)
    loss = hierarchy.loss(groups, ops.convert_to_tensor([[0.0, 0.75, 0.25]]), member)
    np.testing.assert_allclose(loss, [-(0.25 * np.log(3 / 8) + 0.75 * np.log(5 / 8))], atol=1e-6)


def test_sure_networks_give_numbers():
    member = hierarchy.membership(GROUPS, ("x", "y", "z"))
    np.testing.assert_allclose(
        hierarchy.log_probabilities(ops.convert_to_tensor([[0.0, 1000.0, 0.0]]), member), [[np.log(2) - 1000, 0]]
    )


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("tua", "no preset 'tua'. Did you mean 'tau'"),
        ({"a": ["x"], "b": ["y"]}, "class 'z' is in 0 groups"),
        ({"a": ["x", "z"], "b": ["y", "z"]}, "class 'z' is in 2 groups"),
        ({"a": ["x", "zz"], "b": ["y", "z"]}, "'zz' is not a class. Did you mean 'z'"),
        ({"a": ["x", "y", "z"], "b": []}, "b must list its classes"),
        ({"a": "x"}, "a must list its classes"),
    ],
)
def test_groups_that_do_not_part_the_classes_are_named(groups, message):
    with pytest.raises(UserError, match=message):
        hierarchy.membership(groups, ("x", "y", "z"))
