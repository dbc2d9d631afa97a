import json

import pytest

from asc_tf.errors import UserError
from asc_tf.training import tf_config as cluster


def config(workers=("a:1", "b:2"), kind="worker", index=0, **more):
    return {"cluster": {"worker": list(workers), **more}, "task": {"type": kind, "index": index}}


def test_the_chief_is_the_first():
    assert cluster.parse(json.dumps(config(index=1))) == cluster.Task(1, {"worker:0": "a:1", "worker:1": "b:2"})
    # As TensorFlow numbers them: a task named chief comes before the workers.
    named = {"chief:0": "c:3", "worker:0": "a:1", "worker:1": "b:2"}
    assert cluster.parse(json.dumps(config(index=1, chief=["c:3"]))) == cluster.Task(2, named)
    assert cluster.parse(json.dumps(config(kind="chief", chief=["c:3"]))) == cluster.Task(0, named)
    assert cluster.parse(cluster.EXAMPLE).worker == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ([1], "'cluster' is missing"),
        ({"cluster": {"worker": ["a:1"]}}, "'task' is missing"),
        (config(index=2), "the task is 'worker:2', which the cluster does not have: worker:0, worker:1"),
        (config(index="0 "), "the task is 'worker:0 '"),
        (config(kind="ps"), "the task is 'ps:0'"),
        (config(ps=["c:3"]), "the cluster has 'ps'"),
        (config(workers=()), "needs a list of workers"),
        (config(chief=["c:3", "d:4"]), "one chief at most"),
        (config(workers=["a:1", "a:1"]), "listed twice"),
        (config(workers=["a"]), "'a' is no address"),
        (config(chief="c:3"), "'chief' must be a list"),
    ],
)
def test_what_is_wrong_is_told(wrong, told):
    with pytest.raises(UserError) as error:
        cluster.parse(json.dumps(wrong))
    assert told in str(error.value) and str(error.value).startswith("TF_CONFIG: ") and "\n" not in str(error.value)
