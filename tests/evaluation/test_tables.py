"""Tables for the console."""

from asc_tf.evaluation import tables


def test_costs_are_named_and_judged_on_the_sum_of_the_members():
    def column(parameter_bytes, macs, members):
        scores = {"macro_accuracy": 0.5}
        cost = {"parameters": 61_148, "bytes": parameter_bytes, "macs": macs}
        together = {"members": dict.fromkeys(members, scores)} if members else {}
        return scores | {"log_loss": 1.0, "by_class": {"bus": 0.5}, "cost": cost} | together

    one = tables.evaluation({"float": column(244_592, 29_419_156, ()), "int8": column(61_148, 29_419_156, ())}, ["bus"])
    assert one.count("OVER") == 1 and "244,592 OVER" in one and "float32" in one and "(rule T)" in one
    both = tables.evaluation({"int8": column(122_296, 58_838_312, ("a", "b"))}, ["bus"])
    assert "58,838,312 OVER" in both and "122,296 OVER" not in both and "float32" not in both
    assert "costs and limits are those of all 2 members together" in both
