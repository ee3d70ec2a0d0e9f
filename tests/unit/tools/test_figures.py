from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamchat_nb.protocol.content import ImageDisplay, TextDisplay
from streamchat_nb.tools.figures import figures_in, pyplot_figures
from streamchat_nb.tools.values import result_of

matplotlib: Any = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot: Any = pytest.importorskip("matplotlib.pyplot")
figure_module: Any = pytest.importorskip("matplotlib.figure")
image_module: Any = pytest.importorskip("PIL.Image")
numpy: Any = pytest.importorskip("numpy")


def _figure(**options: Any) -> Any:
    figure = figure_module.Figure(**options)
    figure.subplots().plot([1, 2, 3])
    return figure


def _picture(value: object) -> Any:
    """Return the one picture of a result, decoded; its bound is checked."""
    (display,) = result_of(value).display
    assert isinstance(display, ImageDisplay)
    assert len(display.data) <= 150_000
    assert display.alt
    picture = image_module.open(io.BytesIO(base64.b64decode(display.data)))
    assert picture.format == "PNG"
    picture.load()
    return picture


def _noise(width: int, height: int, channels: int = 3) -> Any:
    values = numpy.random.default_rng(1).integers(0, 256, (height, width, channels))
    return image_module.fromarray(values.astype("uint8"))


def test_result_of_figure_names_titles_axes_and_labels() -> None:
    figure = figure_module.Figure()
    left, right = figure.subplots(1, 2)
    left.plot([1, 2, 3], label="up")
    left.set(title="Sales", xlabel="month", ylabel="euro")
    left.legend()
    right.bar(["a", "b"], [1, 2])
    figure.suptitle("2\u202e024")
    result = result_of(figure)
    assert result.output.splitlines() == [
        "matplotlib Figure, 6.4 by 4.8 inches",
        r'title: "2\u202e024"',
        (
            '- axes "Sales", x "month" -0.1 to 2.1, y "euro" 0.9 to 3.1, 1 line, '
            'labels "up"'
        ),
        "- axes, x -0.49 to 1.49, y 0 to 2.1, 2 shapes",
    ]
    (display,) = result.display
    assert isinstance(display, ImageDisplay)
    assert display.alt == result.output.replace("\n", "; ")
    assert _picture(figure).width > 500


def test_what_stands_for_a_figure_is_one() -> None:
    class Grid:
        def __init__(self, figure: Any) -> None:
            self.figure = figure

    figure = _figure()
    axes = figure.axes[0]
    inner = figure_module.Figure().subfigures(1, 2)[0]
    for value in (
        figure,
        axes,
        axes.lines[0],
        list(axes.lines),
        (figure, axes),
        (figure, numpy.array([axes, axes])),
        axes.bar(["a"], [1]),
        Grid(figure),
    ):
        assert figures_in(value) == [figure]
    assert figures_in(inner.subplots()) == [inner.figure]
    for value in (None, [], [figure, 1], {"figure": figure}, Grid(None), [[[axes]]]):
        assert figures_in(value) == []


def test_several_figures_share_the_room() -> None:
    figures = [_figure() for _ in range(6)]
    pictures = result_of(figures).display
    assert len(pictures) == 4
    assert sum(len(picture.data) for picture in pictures) <= 150_000  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "options",
    [{"figsize": (200, 1)}, {"figsize": (60, 60)}, {"dpi": 1_000}, {"figsize": (1, 1)}],
)
def test_picture_of_figure_of_any_size_is_bounded(options: dict[str, Any]) -> None:
    assert max(_picture(_figure(**options)).size) <= 2_400


def test_picture_of_figure_with_noise_is_bounded_and_of_use() -> None:
    figure = figure_module.Figure()
    axes = figure.subplots()
    axes.imshow(numpy.random.default_rng(1).random((400, 400, 3)))
    axes.text(1e5, 1e5, "far outside")
    assert min(_picture(figure).size) >= 150


def test_figure_stays_as_it_was() -> None:
    figure = _figure(dpi=37, facecolor="none")
    size = tuple(figure.get_size_inches())
    picture = _picture(figure).convert("RGB")
    assert picture.getpixel((0, 0)) == (255, 255, 255), "to be read on any ground"
    assert (figure.dpi, tuple(figure.get_size_inches())) == (37, size)
    assert figure.get_facecolor() == (0, 0, 0, 0)


def test_figure_that_cannot_be_drawn_is_words() -> None:
    figure = _figure()
    figure.axes[0].set_title(r"$\nonsense$")
    result = result_of(figure)
    assert r"$\nonsense$" in result.output
    assert result.display == (TextDisplay(text="It cannot be drawn (ValueError)."),)


def test_only_figures_that_pyplot_made_since_are_closed() -> None:
    pyplot.close("all")
    before = pyplot.figure()
    numbers = pyplot_figures()
    since, other = pyplot.figure(), pyplot.figure()
    own = _figure()
    for figure in (before, since, own):
        result_of(figure)
        assert len(pyplot_figures()) == 3, "nothing is closed unasked"
    for figure in (before, since, own):
        result_of(figure, figures_before=numbers)
    assert pyplot_figures() == {before.number, other.number}
    assert pyplot.gcf() is other
    pyplot.close("all")


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "F", "I", "I;16"],
)
def test_result_of_image_of_any_mode(mode: str) -> None:
    image = image_module.new(mode, (20, 10))
    result = result_of(image)
    assert result.output == f"PIL Image, 20 by 10 pixels, mode {mode}"
    assert _picture(image).size == (20, 10)
    assert image.mode == mode


def test_image_of_measured_values_uses_all_greys() -> None:
    values = numpy.array([[1000.0, 3000.0]], "float32")
    picture = _picture(image_module.fromarray(values))
    assert picture.getextrema() == (0, 255)


@pytest.mark.parametrize("channels", [3, 4])
def test_large_image_is_scaled_down(channels: int) -> None:
    picture = _picture(_noise(3_000, 1_500, channels))
    assert picture.width == pytest.approx(2 * picture.height, abs=3)
    assert picture.height > 100
    smooth = _picture(image_module.new("RGB", (6_000, 3_000), "red"))
    assert smooth.size == (1_600, 800)


def test_broken_image_is_words() -> None:
    file = io.BytesIO()
    _noise(64, 64).save(file, "PNG")
    image = image_module.open(io.BytesIO(file.getvalue()[:2_000]))
    result = result_of(image)
    assert result.output == "PIL PngImageFile, 64 by 64 pixels, mode RGB, PNG"
    assert result.display == (TextDisplay(text="It cannot be drawn (OSError)."),)


@settings(max_examples=20)
@given(st.integers(1, 900), st.integers(1, 900), st.sampled_from([3, 4]))
def test_picture_of_any_image_is_bounded(
    width: int, height: int, channels: int
) -> None:
    _picture(_noise(width, height, channels))
