"""Pictures: figures of matplotlib and images of Pillow, as PNG and in words."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.protocol.content import ImageDisplay
from streamchat_nb.tools.libraries import Foreign, is_from, loaded, type_name
from streamchat_nb.tools.value_text import ValueText, counted, cut

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "close_new_figures",
    "figure_display",
    "figure_text",
    "figures_in",
    "image_display",
    "image_text",
    "pyplot_figures",
]

MOST_PICTURE_CHARACTERS = 150_000
"""The largest picture, as base64: an event has room for one and for its text."""

_MOST_PIXELS = 1_600
_LEAST_PIXELS = 16
_MOST_FIGURES = 4
_MOST_ITEMS = 64
_MOST_AXES = 12
_MOST_LABELS = 12
_MOST_DEPTH = 8
_MOST_OUTSIDE = 1.5
_MOST_ALT = 300
_FAST_OCTREE = 2
_words = ValueText()


def pyplot_figures() -> frozenset[int]:
    """Return the numbers of the figures that pyplot keeps now."""
    pyplot = loaded("matplotlib.pyplot")
    return frozenset() if pyplot is None else frozenset(pyplot.get_fignums())


def close_new_figures(figures: list[Any], *, before: Collection[int]) -> None:
    """Let pyplot forget those of ``figures`` that it has made since.

    Others stay: a figure that pyplot had before is somebody's, and one that pyplot
    does not keep goes with its last reference.

    Args:
        figures: Figures that have been shown and go nowhere else.
        before: What ``pyplot_figures`` gave before they were made.
    """
    pyplot = loaded("matplotlib.pyplot")
    for figure in figures:
        number = getattr(figure, "number", None)
        if number in pyplot_figures() and number not in before:
            pyplot.close(figure)


def figures_in(value: object) -> list[Any]:
    """Return the figures that a value stands for, at most four; else none.

    A figure, an artist of one (axes, lines), an object with a ``figure`` as seaborn
    has them, and a list, tuple or array of nothing but these.
    """
    if loaded("matplotlib.figure") is None:
        return []
    found: list[Any] = []
    for one in _all_figures(value, 0):
        if one is None:
            return []
        if not any(one is other for other in found):
            found.append(one)
    return found[:_MOST_FIGURES]


def _all_figures(value: object, depth: int) -> list[Any]:
    """Return the figure of each part, ``None`` for a part that has none."""
    figure = _figure_of(value)
    if figure is not None:
        return [figure]
    if isinstance(value, (list, tuple)):
        items = list(cast("tuple[object, ...]", value[: _MOST_ITEMS + 1]))
    elif is_from(value, "numpy", "ndarray") and cast("Any", value).dtype.kind == "O":
        items = list(cast("Any", value).flat[: _MOST_ITEMS + 1])
    else:
        return [None]
    if not 0 < len(items) <= _MOST_ITEMS or depth > 1:
        return [None]
    return [figure for item in items for figure in _all_figures(item, depth + 1)]


def _figure_of(value: object) -> Foreign:
    for _ in range(_MOST_DEPTH):
        if is_from(value, "matplotlib.figure", "Figure"):
            return value
        try:
            value = cast("Any", value).figure
        except Exception:  # noqa: BLE001 (anybody's attribute)
            return None
    return None


def figure_text(figure: Foreign) -> str:
    """Return what a figure shows, in words: titles, axes, labels, how much of what."""
    width, height = figure.get_size_inches()
    lines = [f"{type_name(figure)}, {width:g} by {height:g} inches"]
    title = _text_of(figure, "_suptitle")
    if title:
        lines.append(f"title: {title}")
    axes = list(figure.axes)
    lines += [_axes_text(one) for one in axes[:_MOST_AXES]]
    if len(axes) > _MOST_AXES:
        lines.append(f"and {len(axes) - _MOST_AXES} more axes")
    return cut("\n".join(lines), 4_000)


def _axes_text(axes: Foreign) -> str:
    parts = [f"axes {_quoted(axes.get_title())}".rstrip()]
    for name in "xyz":
        label = getattr(axes, f"get_{name}label", str)()
        limits = getattr(axes, f"get_{name}lim", tuple)()
        if limits:
            low, high = (f"{float(limit):.6g}" for limit in limits)
            parts.append(f"{name} {_quoted(label)} {low} to {high}".replace("  ", " "))
    drawn = {
        "line": axes.lines,
        "collection": axes.collections,
        "shape": axes.patches,
        "image": axes.images,
    }
    parts += [counted(len(found), noun) for noun, found in drawn.items() if len(found)]
    _, labels = axes.get_legend_handles_labels()
    if labels:
        shown = [_quoted(label) for label in labels[:_MOST_LABELS]]
        parts.append(f"labels {', '.join(shown)}")
    return f"- {', '.join(parts)}"


def _text_of(figure: Foreign, name: str) -> str:
    found = getattr(figure, name, None)
    return "" if found is None else _quoted(found.get_text())


def _quoted(text: object) -> str:
    return f'"{_words.cell(str(text), 100)}"' if str(text) else ""


def figure_display(
    figure: Foreign, *, limit: int = MOST_PICTURE_CHARACTERS
) -> ImageDisplay:
    """Draw a figure as PNG; base64 takes at most ``limit`` characters.

    The figure stays as it is. Drawing runs code of matplotlib and may raise anything.
    """
    width, height = figure.get_size_inches()
    longest = max(1e-3, width, height)
    file = io.BytesIO()
    figure.savefig(
        file,
        format="png",
        dpi=min(float(figure.dpi), _MOST_PIXELS / longest),
        facecolor="white" if figure.get_facecolor()[3] < 1 else "auto",
        bbox_inches="tight" if _is_compact(figure, width, height) else None,
    )
    alt = cut(figure_text(figure).replace("\n", "; "), _MOST_ALT)
    if len(file.getvalue()) <= _bytes_in(limit):
        return _display(file.getvalue(), alt)
    from PIL import Image  # noqa: PLC0415 (comes with matplotlib)

    file.seek(0)
    with Image.open(file) as image:
        return _display(_png(image.convert("RGB"), _bytes_in(limit)), alt)


def _is_compact(figure: Foreign, width: float, height: float) -> bool:
    """Say whether nothing is so far outside that a picture of all would be huge."""
    box = figure.get_tightbbox()
    return box.width <= _MOST_OUTSIDE * width and box.height <= _MOST_OUTSIDE * height


def image_text(image: Foreign) -> str:
    """Return what is known of an image of Pillow without decoding it, in words."""
    frames = getattr(image, "n_frames", 1)
    parts = [f"{type_name(image)}, {image.width:,} by {image.height:,} pixels"]
    parts.append(f"mode {image.mode}")
    parts += [str(image.format)] if getattr(image, "format", None) else []
    parts += [f"{frames:,} frames, the first is shown"] if frames > 1 else []
    return ", ".join(parts)


def image_display(
    image: Foreign, *, limit: int = MOST_PICTURE_CHARACTERS
) -> ImageDisplay:
    """Return an image of Pillow as PNG; base64 takes at most ``limit`` characters.

    The image stays as it is. A file that is broken shows only now, as any exception.
    """
    longest = max(image.size)
    if longest > _MOST_PIXELS:
        image = _scaled(_drawable(image), _MOST_PIXELS / longest)
    png = _png(_drawable(image), _bytes_in(limit))
    return _display(png, image_text(image))


def _drawable(image: Foreign) -> Foreign:
    """Return an image in a mode that PNG and scaling know."""
    if image.mode in {"L", "RGB", "RGBA"}:
        return image
    if image.mode in {"F", "I"} or image.mode.startswith("I;"):
        values = image.convert("F")
        low, high = values.getextrema()
        spread = 255 / (high - low) if high > low else 0

        def grey(value: Foreign) -> Foreign:
            return value * spread - low * spread

        return values.point(grey).convert("L")
    see_through = (
        image.mode in {"LA", "PA", "La", "RGBa"} or "transparency" in image.info
    )
    return image.convert("RGBA" if see_through else "RGB")


def _png(image: Foreign, limit: int) -> bytes:
    """Return an image as PNG of at most ``limit`` bytes: fewer colours, then pixels."""
    data = _encoded(image)
    if len(data) > limit:
        data = _encoded(_with_few_colours(image))
    while len(data) > limit and max(image.size) > _LEAST_PIXELS:
        image = _scaled(image, min(0.9, (limit / len(data)) ** 0.5))
        data = _encoded(_with_few_colours(image))
    return data


def _with_few_colours(image: Foreign) -> Foreign:
    return image if image.mode == "L" else image.quantize(256, method=_FAST_OCTREE)


def _encoded(image: Foreign) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=False)
    return file.getvalue()


def _scaled(image: Foreign, factor: float) -> Foreign:
    size = [max(1, int(length * factor)) for length in image.size]
    return image.resize(size, reducing_gap=2.0)


def _bytes_in(characters: int) -> int:
    return characters * 3 // 4 - 3


def _display(png: bytes, alt: str) -> ImageDisplay:
    data = base64.b64encode(png).decode()
    return ImageDisplay(media_type="image/png", data=data, alt=alt)
