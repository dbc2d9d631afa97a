"""Predictions of a run by the network of each segment's recording device, for evaluation beside its general network."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from asc_tf import build, dataset, metrics
from asc_tf.dataset import LoadedDataset
from asc_tf.inference.run import TrainedRun
from asc_tf.runs import layout


def with_devices(
    run: TrainedRun,
    data: LoadedDataset,
    general: Mapping[str, tuple[dict[str, int], np.ndarray]],
    forms: Mapping[str, str],
    cost: Callable[[TrainedRun, str], dict[str, int]],
) -> dict[str, tuple[dict[str, int], np.ndarray]]:
    """Costs and probabilities of the test split with those of the devices' networks, where the run has such.

    Each cost is that of the most complex network, since the limits of the challenge hold for each. A segment of a
    device without a network of its own has the probabilities of the general one.

    Args:
        run: The run.
        data: Its dataset.
        general: Costs and probabilities of the general network by its name in the report.
        forms: Form of a run by that name.
        cost: Function (run, name) to the cost of a network.

    Returns:
        The general networks' and, behind each, the same with the devices' networks, its name with layout.OF_DEVICES.
    """
    found, devices = {}, run.devices.values()
    for name, (general_cost, probabilities) in general.items():
        found[name] = general_cost, probabilities
        if devices and all(forms[name] in own.forms for own in devices):
            largest = _largest([general_cost, *(cost(own, name) for own in devices)])
            found[name + layout.OF_DEVICES] = largest, _probabilities(run, data, probabilities, forms[name])
    return found


def _largest(costs: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: max(one[key] for one in costs) for key in costs[0]}


def _probabilities(run, data, general, form):
    result, devices = general.copy(), data.column("device", data.test)
    for device, own in run.devices.items():
        inside = np.flatnonzero(devices == device)
        if len(inside):
            inputs = build.evaluation_batches(own.folder, build.source(own.recipe, data, data.test[inside]))
            logits = build.outputs(own.form(form), inputs)
            result[inside] = metrics.probabilities(logits, multi_label=dataset.multi_label(run.recipe))
    return result
