import io

import numpy as np
import pytest
from matplotlib import image

from asc_tf.evaluation import confusion, pictures


@pytest.fixture
def figures(monkeypatch):
    """The figures that are drawn."""
    drawn, png = [], pictures.png
    monkeypatch.setattr(pictures, "png", lambda figure, dpi: drawn.append(figure) or png(figure, dpi=dpi))
    return drawn


def picture(classes):
    table = np.eye(classes, dtype=int) * 7
    table[0, 1] = 2
    return confusion.draw(table, [f"class {number}" for number in range(classes)], title="int8")


def test_counts_but_zeros_are_written_and_those_in_dark_cells_are_white(figures):
    picture(3)
    (axes,) = figures[0].axes
    written = {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts}
    assert written == {
        (0, 0): ("7", "white"),
        (1, 0): ("2", "black"),
        (1, 1): ("7", "white"),
        (2, 2): ("7", "white"),
    }
    assert [label.get_text() for label in axes.get_yticklabels()] == ["class 0", "class 1", "class 2"]


def test_the_picture_of_many_classes_is_no_larger_and_has_shades_alone(figures, monkeypatch):
    monkeypatch.setattr(confusion, "MOST_WITH_COUNTS", 20)
    most, more = (image.imread(io.BytesIO(picture(classes)), format="png").shape for classes in (20, 120))
    assert most == more and figures[0].axes[0].texts and not figures[1].axes[0].texts
    # A label is lower than its cell.
    height_pt = figures[1].axes[0].get_window_extent().height / figures[1].dpi * confusion.POINTS_AN_INCH
    sizes = [label.get_fontsize() for label in figures[1].axes[0].get_yticklabels()]
    assert len(sizes) == 120 and max(sizes) < height_pt / 120
