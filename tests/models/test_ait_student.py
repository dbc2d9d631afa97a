from asc_tf.cost import measure
from asc_tf.models import ait_student

DROPOUT = [0.10, 0.15, 0.20, 0.25, 0.30]


def test_the_student_has_as_many_parameters_as_the_report_prints():
    network = ait_student.build((128, 128, 3), 10, width=16, embedding=64, dropout=DROPOUT)
    # 22,962 for three students, called trainable in the report, are all weights; 88,704 bytes / 3 / 4 the trainable.
    assert network.count_params() == 22_962 / 3 == 7_654
    assert measure.measure(network).parameters == 88_704 / 3 / 4 == 7_392


def test_the_blocks_are_those_of_the_reports_table():
    network = ait_student.build((128, 128, 3), 10, width=16, embedding=64, dropout=DROPOUT)
    shapes = [network.get_layer(f"b{number}_pool").output.shape[1:] for number in (1, 2, 3, 4)]
    assert shapes == [(64, 64, 16), (32, 32, 16), (16, 16, 16), (32,)]
    counts = [network.get_layer(f"b{number}_{part}").count_params() for number in (1, 4) for part in ("in_bn", "conv")]
    assert counts == [12, 208, 64, 2_080]
    rates = [network.get_layer(f"{prefix}_dropout").rate for prefix in ("b1", "b2", "b3", "b4", "embedding")]
    assert rates == DROPOUT
