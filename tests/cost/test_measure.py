"""Reports of several networks that decide together."""

import pytest

from asc_tf.cost import measure
from asc_tf.models import ait_student, cp_mobile

DROPOUT = [0.1, 0.15, 0.2, 0.25, 0.3]
STRIDES = [[1, 1], [1, 1], [1, 2], [2, 1], [1, 1], [1, 1]]


@pytest.fixture(scope="module")
def students():
    """AIT's three students, one for each spectrogram."""
    names = ("log_mel", "gammatone", "cqt")
    return {name: ait_student.build((128, 128, 3), 10, width=16, embedding=64, dropout=DROPOUT) for name in names}


def test_the_system_of_ait_has_the_reports_parameters_and_three_times_the_macs(students):
    lines, fits = measure.system_report(students, "K")
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:5]}
    # parameters by T, F, K, then MACs by T, F, K, those with the softmax of each
    assert rows["gammatone"] == ["7,392", "7,392", "7,654", "9,268,176", "9,268,176", "9,755,719"]
    assert rows["total"] == ["22,176", "22,176", "22,962", "27,804,528", "27,804,528", "29,267,157"]
    printed = " ".join(" ".join(lines).split())
    assert fits and "22,962 of 128,000 bytes: fits" in printed
    assert "MACs, rule K 29,267,157 of 30,000,000: fits" in printed


def test_bytes_in_float_are_those_of_the_report(students):
    # 88,704 bytes: 22,176 parameters, without statistics, as float32
    assert any(line.endswith(" 88,704 bytes") for line in measure.system_report(students, "T")[0])


def test_limits_hold_for_the_sum():
    settings = {"width": 32, "growth": 1.8, "expansion": 2.1, "strides": STRIDES, "grn": True}
    network = cp_mobile.build((256, 65, 1), 10, **settings)  # 61,160 parameters, 29,419,156 MACs
    floats = [f"b{number}_grn" for number in range(1, 7)]
    lines, fits = measure.system_report({"one": network}, "T", {"one": floats})
    assert fits and lines[-2].split() == f"parameters (12 in float) {61_160 + 36:,} of 128,000 bytes: fits".split()
    lines, fits = measure.system_report({"one": network, "two": network}, "T", {"one": floats})
    assert not fits and lines[-1].split()[-4:] == ["58,838,312", "of", "30,000,000:", "OVER"]
    assert f" {2 * 61_160 + 36:,} of 128,000 bytes: fits" in lines[-2]
