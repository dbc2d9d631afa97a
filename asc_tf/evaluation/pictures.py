"""Figures as bytes of PNG files."""

import io

from matplotlib.figure import Figure


def png(figure: Figure, dpi: int) -> bytes:
    """Bytes of the PNG file of a figure.

    Args:
        figure: The figure.
        dpi: Its resolution.
    """
    content = io.BytesIO()
    figure.savefig(content, dpi=dpi, format="png")
    return content.getvalue()
