import pytest

from asc_tf.checkpoints import _pickled, _tensor, state_dict
from asc_tf.errors import UserError

TENSOR = _tensor.checked((2,), "<f4", 0, (1,), lambda: bytes(8))


def test_keys_of_nested_dicts_are_joined():
    tree = {
        "state_dict": {"model.stem.weight": TENSOR},
        "epoch": 3,
        "optimizer": {"state": {0: {"exp_avg": TENSOR}}, "groups": [{"lr": 0.1}]},
        "args": _pickled.Unknown(_pickled.Name("argparse", "Namespace")),
    }
    keys = ["state_dict.model.stem.weight", "optimizer.state.0.exp_avg"]
    assert list(state_dict.tensors(tree, "network.pt")) == keys


def test_a_dict_that_is_there_twice_or_holds_itself_is_walked_once():
    tree = {"model": {"a": TENSOR}}
    tree["ema"] = tree["model"]
    tree["model"]["itself"] = tree
    assert list(state_dict.tensors(tree, "network.pt")) == ["model.a"]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("model.mel.preemphasis_coefficient", "front end"),
        ("sed_model.logmel_extractor.melW", "front end"),
        ("bn.num_batches_tracked", "buffer"),
        ("optimizer.state.0.exp_avg", "no part of the network"),
        ("caramel.weight", "no part of the network"),
    ],
)
def test_ignored_tensors_have_a_reason(key, reason):
    assert state_dict.ignored_because(key).startswith(reason)


@pytest.mark.parametrize(
    ("tree", "word"),
    [
        ({}, "no tensors"),
        ({"state_dict": {"a": 3}}, "no tensors"),
        (_pickled.Unknown(_pickled.Name("models.net", "Net")), "a whole module, models.net.Net"),
    ],
)
def test_a_checkpoint_without_weights_raises(tree, word):
    with pytest.raises(UserError, match=word):
        state_dict.tensors(tree, "network.pt")
