"""TF_CONFIG: the index and the addresses of several processes that train together.

Source: TensorFlow's TF_CONFIG, the same text on every machine but for the task.
"""

import json
from dataclasses import dataclass

from asc_tf.errors import UserError

EXAMPLE = '{"cluster": {"worker": ["host1:5000", "host2:5000"]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Task:
    """One process of several.

    Args:
        worker: Index of this process; 0 is the chief.
        addresses: "host:port" of all processes by the names that TensorFlow gives them, such as "worker:0".
    """

    worker: int
    addresses: dict[str, str]


def parse(text: str) -> Task:
    """The Task of this process in a TF_CONFIG.

    Raises:
        UserError: The text is not a valid TF_CONFIG.
    """
    cluster, task = _sections(text)
    if unknown := sorted(set(cluster) - {"chief", "worker"}):
        raise UserError(f"TF_CONFIG: the cluster has '{unknown[0]}', but all processes train; leave only 'worker'.")
    addresses = {
        f"{kind}:{index}": address for kind in ("chief", "worker") for index, address in _numbered(cluster, kind)
    }
    if "worker:0" not in addresses or "chief:1" in addresses:
        raise UserError(f"TF_CONFIG: the cluster needs a list of workers, and one chief at most, as in {EXAMPLE}.")
    if len(set(addresses.values())) < len(addresses):
        raise UserError("TF_CONFIG: an address is listed twice; give every worker a host:port of its own.")
    name = f"{task.get('type')}:{task.get('index')}"
    if name not in addresses:
        raise UserError(f"TF_CONFIG: the task is '{name}', which the cluster does not have: {', '.join(addresses)}.")
    return Task(list(addresses).index(name), addresses)


def _sections(text):
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"TF_CONFIG: is not JSON ({error}); write it as {EXAMPLE}.") from error
    for key in ("cluster", "task"):
        if not isinstance(tree, dict) or not isinstance(tree.get(key), dict):
            raise UserError(f"TF_CONFIG: '{key}' is missing; write it as {EXAMPLE}.")
    return tree["cluster"], tree["task"]


def _numbered(cluster, kind):
    addresses = cluster.get(kind, [])
    if not isinstance(addresses, list):
        raise UserError(f"TF_CONFIG: the cluster's '{kind}' must be a list of addresses, as in {EXAMPLE}.")
    for address in addresses:
        host, _, port = str(address).rpartition(":")
        if not (host and port.isdigit()):
            raise UserError(f"TF_CONFIG: '{address}' is no address; write host:port.")
    return enumerate(addresses)
