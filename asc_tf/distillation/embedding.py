"""How far is what the student makes of a clip, before it decides, from what a teacher makes of it?"""

from keras import ops

from asc_tf.errors import UserError, nearest


def output(network, layer, where):
    """What a layer of a functional network makes of a clip, as its symbolic (batch, size).

    Bands, frames or patches between the clip and its channels are averaged over.  where: the recipe's key that
    names the layer.  Raises UserError where the network has no such layer, or one without such an output.
    """
    known = [own.name for own in network.layers]
    if layer not in known:
        raise UserError(f"{where}: {network.name} has no layer '{layer}'. {nearest(layer, known)}")
    made = network.get_layer(layer).output
    if not hasattr(made, "shape") or len(made.shape) < 2:
        raise UserError(f"{where}: layer '{layer}' does not make one tensor of values a clip; name another.")
    between = tuple(range(1, len(made.shape) - 1))
    return ops.mean(made, axis=between) if between else made
