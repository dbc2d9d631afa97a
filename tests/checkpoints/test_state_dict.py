import pytest

from asc_tf.checkpoints import _pickled, _tensor, state_dict
from asc_tf.errors import UserError

TENSOR = _tensor.checked((2,), "<f4", 0, (1,), lambda: bytes(8))


@pytest.mark.parametrize(
    "tree",
    [
        {"stem.weight": TENSOR},
        {"state_dict": {"model.stem.weight": TENSOR}, "epoch": 3},
        {"state_dict": {"net.stem.weight": TENSOR}},
        {"state_dict": {"sed_model.module.stem.weight": TENSOR}},
        {"module.stem.weight": TENSOR},
        {"model": {"stem.weight": TENSOR}, "args": _pickled.Unknown(_pickled.Name("argparse", "Namespace"))},
    ],
)
def test_wrappers_and_prefixes_are_removed(tree):
    assert state_dict.weights(tree, "network.pt") == ({"stem.weight": TENSOR}, {})


def test_ignored_keys_have_a_reason():
    state = {
        "model.stem.weight": TENSOR,
        "mel.preemphasis_coefficient": TENSOR,
        "sed_model.logmel_extractor.melW": TENSOR,
        "model.bn.num_batches_tracked": TENSOR,
        "model.note": "text",
    }
    tensors, ignored = state_dict.weights({"state_dict": state}, "network.pt")
    assert list(tensors) == ["stem.weight"]
    assert [reason.split(",")[0] for reason in ignored.values()] == ["front end", "front end", "buffer", "no tensor"]


def test_two_tensors_of_one_name_raise():
    with pytest.raises(UserError, match="'stem.weight' twice"):
        state_dict.weights({"model.stem.weight": TENSOR, "net.stem.weight": TENSOR}, "network.pt")


@pytest.mark.parametrize(
    ("tree", "word"),
    [
        ({}, "no state dict"),
        ([TENSOR], "no state dict"),
        ({"state_dict": {"a": 3}}, "no state dict"),
        (_pickled.Unknown(_pickled.Name("models.net", "Net")), "a whole module, models.net.Net"),
    ],
)
def test_a_checkpoint_without_weights_raises(tree, word):
    with pytest.raises(UserError, match=word):
        state_dict.weights(tree, "network.pt")
