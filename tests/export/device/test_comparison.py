import numpy as np
import pytest

from asc_tf.export.device import comparison as parity

FLOAT = np.log([[0.75, 0.25], [0.5, 0.5 - 1e-9], [0.25, 0.75], [0.9, 0.1]])
INT8 = np.log([[0.25, 0.75], [0.6, 0.4], [0.25, 0.75], [0.9, 0.1]])


def test_figures_of_a_hand_count():
    figures = parity.compare({"float": FLOAT, "int8": INT8}, [0, 0, 1, 1])
    log_loss = -np.log([0.75, 0.5, 0.75, 0.1]).mean()
    assert figures["float"] == {
        "accuracy": 0.75, "log_loss": pytest.approx(log_loss), "agreement": 1.0, "largest_change": 0.0,
    }  # fmt: skip
    assert figures["int8"]["accuracy"] == 0.5
    assert figures["int8"]["agreement"] == 0.75
    assert figures["int8"]["largest_change"] == pytest.approx(0.5)


def test_table_has_a_line_a_form():
    lines = parity.table(parity.compare({"float": FLOAT, "int8": INT8}, [0, 0, 1, 1])).splitlines()
    assert lines[1].split() == ["float", "75.00%", "0.893", "100.00%", "0.000"]
    assert lines[2].split() == ["int8", "50.00%", "1.122", "75.00%", "0.500"]


def test_other_or_no_clips_are_refused():
    with pytest.raises(ValueError, match="same clips"):
        parity.compare({"float": FLOAT, "int8": INT8[:3]}, [0, 0, 1, 1])
    with pytest.raises(ValueError, match="at least one"):
        parity.compare({"float": FLOAT[:0]}, [])


def test_without_labels_there_is_agreement_alone():
    figures = parity.compare({"float": FLOAT, "int8": INT8}, None)
    assert figures["int8"].keys() == {"agreement", "largest_change"} and figures["int8"]["agreement"] == 0.75
    assert parity.table(figures).splitlines()[2].split() == ["int8", "-", "-", "75.00%", "0.500"]
