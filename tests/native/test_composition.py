"""Composition against an independent bicubic in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from scales_cli.engine.composition import Addition, compose, luma, upscale_bicubic, ycc
from scales_cli.errors import InputError, WeightsError
from scales_cli.system.threads import ThreadPool

native = pytest.importorskip("scales_cli.engine._native")


def cubic(x: Fraction) -> Fraction:
    x = abs(x)
    if x <= 1:
        return Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1
    return -Fraction(1, 2) * x**3 + Fraction(5, 2) * x**2 - 4 * x + 2 if x < 2 else Fraction(0)


def axis_matrix(length: int, scale: int) -> list[list[Fraction]]:
    rows = []
    for o in range(length * scale):
        centre = Fraction(2 * o + 1, 2 * scale) - Fraction(1, 2)
        row = [Fraction(0)] * length
        for tap in range(-3, length + 3):
            mirrored = tap % (2 * length)
            row[min(mirrored, 2 * length - 1 - mirrored)] += cubic(centre - tap)
        rows.append(row)
    return rows


def bicubic(image: NDArray[np.integer], scale: int) -> NDArray[np.object_]:
    height, width, _ = image.shape
    rows = np.array(axis_matrix(height, scale), object)
    columns = np.array(axis_matrix(width, scale), object)
    exact = np.array([Fraction(int(v)) for v in image.flat], object).reshape(image.shape)
    return np.moveaxis(np.tensordot(columns, np.tensordot(rows, exact, 1), (1, 1)), 0, 1)


def rounded(exact: NDArray[np.object_], dtype: type) -> NDArray[np.integer]:
    peak = int(np.iinfo(dtype).max)
    values = [min(max((2 * v + 1).__floor__() // 2, 0), peak) for v in exact.flat]
    return np.array(values, dtype).reshape(exact.shape)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 2), (4, 1, 3), (2, 3, 4), (6, 7, 3)])
def test_compose_without_residual_is_exact_bicubic(
    dtype: type, scale: int, shape: tuple[int, int, int], rng: np.random.Generator
) -> None:
    image = rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    image[rng.random(shape) < 0.3] = np.iinfo(dtype).max  # overshoots are clamped
    expected = rounded(bicubic(image, scale), dtype)
    np.testing.assert_array_equal(upscale_bicubic(image, scale), expected)
    zero = np.zeros((1, shape[0] * scale, shape[1] * scale), np.float32)
    np.testing.assert_array_equal(compose(image, Addition(zero), scale), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_compose_adds_the_residual_before_rounding(channels: int, rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    residual = rng.normal(0, 0.2, (channels, 8, 10)).astype(np.float32)
    added = np.broadcast_to(np.moveaxis(residual, 0, -1), (8, 10, 3))
    exact = bicubic(image, 2) + np.array([Fraction(float(v)) * 255 for v in added.flat], object).reshape(8, 10, 3)
    np.testing.assert_array_equal(compose(image, Addition(residual), 2), rounded(exact, np.uint8))


def test_compose_keeps_grey_exactly_grey(rng: np.random.Generator) -> None:
    grey = rng.integers(0, 256, (9, 11, 1)).astype(np.uint8)
    residual = rng.normal(0, 0.1, (1, 27, 33)).astype(np.float32)
    out = compose(np.repeat(grey, 3, axis=2), Addition(residual), 3)
    np.testing.assert_array_equal(out, np.repeat(compose(grey, Addition(residual), 3), 3, axis=2))


def test_compose_rows_equal_the_whole(rng: np.random.Generator) -> None:
    image = rng.integers(0, 65536, (7, 6, 3)).astype(np.uint16)
    residual = rng.normal(0, 0.1, (1, 28, 24)).astype(np.float32)
    chroma, weights = rng.normal(0, 0.1, (2, 7, 6)).astype(np.float32), rng.random((7, 6), np.float32)
    whole = compose(image, Addition(residual, 0, chroma, 0, weights), 4, threads=ThreadPool(2))
    for begin, end in [(0, 28), (0, 1), (5, 18), (27, 28), (9, 9)]:
        first = max(begin // 4 - 2, 0)
        given = chroma[:, first : (end - 1) // 4 + 3].copy()
        added = Addition(residual[:, begin:end], begin, given, first, weights[begin // 4 : (end - 1) // 4 + 1])
        np.testing.assert_array_equal(compose(image, added, 4), whole[begin:end])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_compose_gives_the_same_bytes_on_every_isa(dtype: type, scale: int, rng: np.random.Generator) -> None:
    for channels, colored in [(1, False), (2, False), (3, False), (3, True), (4, False)]:
        height, width = int(rng.integers(1, 6)), int(rng.integers(1, 70))
        image = rng.integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)
        residual = rng.normal(0, 0.1, (1, scale * height, scale * width)).astype(np.float32)
        given = {"weights": rng.random((height, width), np.float32)}
        if colored:
            given["chroma"] = rng.normal(0, 0.1, (2, height, width)).astype(np.float32)
        results = set()
        for isa in native.available_isas():
            out = np.empty((scale * height, scale * width, channels), dtype)
            assert native.compose(image, residual, scale, 0, scale * height, out, isa=isa, **given)
            results.add(out.tobytes())
        assert len(results) == 1


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_compose_adds_what_spread_gives(scale: int, weighted: bool, rng: np.random.Generator) -> None:
    image = rng.integers(60, 200, (9, 5, 3)).astype(np.uint8)
    residual = rng.normal(0, 0.1, (1, 9 * scale, 5 * scale)).astype(np.float32)
    chroma = rng.normal(0, 0.1, (2, 9, 5)).astype(np.float32)
    weights = rng.random((9, 5), np.float32) if weighted else None
    added = Addition(residual, 0, chroma, 0, weights)
    colors = added.spread((0, 9 * scale), scale, 9)
    plain = Addition(np.ascontiguousarray(np.moveaxis(colors, 2, 0)))
    np.testing.assert_array_equal(compose(image, added, scale), compose(image, plain, scale))
    unweighted = Addition(residual, 0, chroma).spread((0, 9 * scale), scale, 9)
    factor = np.float32(1) if weights is None else np.kron(weights, np.ones((scale, scale), np.float32))[..., None]
    np.testing.assert_array_equal(colors, unweighted * factor)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["residual", "chroma"])
def test_what_is_no_number_is_refused(value: float, place: str) -> None:
    """Wherever it is, by every instruction set."""
    for isa in native.available_isas():
        for x in (0, 3, 21):
            given = {"residual": np.zeros((1, 10, 44), np.float32), "chroma": np.zeros((2, 5, 22), np.float32)}
            arguments = {"scale": 2, "begin": 0, "end": 10, "out": np.empty((10, 44, 3), np.uint8), "isa": isa}
            assert native.compose(np.zeros((5, 22, 3), np.uint8), **arguments, **given)
            given[place][-1, 2, x] = value
            assert not native.compose(np.zeros((5, 22, 3), np.uint8), **arguments, **given)
    added = Addition(given["residual"], 0, given["chroma"])
    with pytest.raises(WeightsError, match="not numbers"):
        compose(np.zeros((5, 22, 3), np.uint8), added, 2)
    with pytest.raises(WeightsError, match="not numbers"):
        added.spread((0, 10), 2, 5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_luma_of_grey_is_the_value(dtype: type) -> None:
    values = np.arange(0, np.iinfo(dtype).max + 1, 7, dtype=dtype)[None]
    expected = (values / np.float64(np.iinfo(dtype).max)).astype(np.float32)
    np.testing.assert_array_equal(luma(values[:, :, None]), expected)
    np.testing.assert_array_equal(luma(np.repeat(values[:, :, None], 3, axis=2)), expected)


def test_luma_weighs_colors_and_ignores_alpha(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (5, 6, 4)).astype(np.uint8)
    expected = image[:, :, :3] @ np.array([19595, 38470, 7471]) / 65536 / 255
    np.testing.assert_allclose(luma(image), expected, rtol=1e-6)
    np.testing.assert_array_equal(luma(image[:, :, :1]), luma(image[:, :, [0, 3]]))


def test_compose_refuses_other_arrays() -> None:
    for shape, dtype in [((4, 4), np.uint8), ((4, 4, 5), np.uint8), ((4, 0, 3), np.uint8), ((4, 4, 3), np.float64)]:
        with pytest.raises(InputError):
            upscale_bicubic(np.zeros(shape, dtype), 2)


def test_native_compose_refuses_other_shapes() -> None:
    image, out = np.zeros((4, 5, 3), np.uint8), np.zeros((8, 10, 3), np.uint8)
    good = np.zeros((1, 8, 10), np.float32)
    native.compose(image, good, 2, 0, 8, out)
    for residual, scale, begin, end in [
        (good, 5, 0, 8),
        (good, 2, 0, 9),
        (good, 2, -1, 7),
        (good, 2, 8, 0),
        (good[:, :7].copy(), 2, 0, 8),
        (np.zeros((2, 8, 10), np.float32), 2, 0, 8),
        (None, 2, 0, 7),
    ]:
        with pytest.raises(ValueError, match=r"shape|outside|scale|residual"):
            native.compose(image, residual, scale, begin, end, out)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ycc_is_jpegs_and_grey_lies_in_the_middle(dtype: type, rng: np.random.Generator) -> None:
    peak = np.iinfo(dtype).max
    image = rng.integers(0, peak + 1, (5, 7, 3)).astype(dtype)
    y, blue, red = ycc(image).astype(np.float64)
    np.testing.assert_array_equal(y.astype(np.float32), luma(image))
    r, _, b = np.moveaxis(image / peak, 2, 0)
    np.testing.assert_allclose(blue - 128 / 255, (b - y) / 1.772, atol=2e-5)
    np.testing.assert_allclose(red - 128 / 255, (r - y) / 1.402, atol=2e-5)
    grey = ycc(np.repeat(image[..., :1], 3, axis=2))
    np.testing.assert_array_equal(grey[1:], np.full((2, 5, 7), 128 / 255, np.float32))
    np.testing.assert_array_equal(grey, ycc(image[..., :1]))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (13, 6)])
def test_chroma_is_spread_bicubically_and_leaves_luma(
    scale: int, shape: tuple[int, int], rng: np.random.Generator
) -> None:
    height, width = shape
    chroma = rng.normal(0, 0.1, (2, height, width)).astype(np.float32)
    y = rng.normal(0, 0.1, (scale * height, scale * width)).astype(np.float32)
    rows, columns = (np.array(axis_matrix(side, scale), float) for side in shape)
    blue, red = (rows @ plane @ columns.T for plane in chroma)
    whole = Addition(y[None], 0, chroma).spread((0, scale * height), scale, height)
    expected = np.stack([y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue], axis=2)
    np.testing.assert_allclose(whole, expected, atol=2e-6)
    np.testing.assert_allclose(whole @ [0.299, 0.587, 0.114], y, atol=2e-6)
    for begin in range(0, scale * height, 5):
        end = min(begin + 5, scale * height)
        first = max(begin // scale - 2, 0)
        given = np.ascontiguousarray(chroma[:, first : (end - 1) // scale + 3])
        part = Addition(y[None, begin:end], begin, given, first).spread((begin, end), scale, height)
        np.testing.assert_array_equal(part, whole[begin:end])


@pytest.mark.parametrize(
    "change",
    [
        {"chroma_first": 3},
        {"rows": (20, 25)},
        {"height": 0},
        {"scale": 5},
        {"chroma": np.zeros((2, 3, 6), np.float32)},
        {"chroma": np.zeros((2, 6, 5), np.float32)},
        {"weights": np.zeros((3, 6), np.float32)},
        {"weights": np.zeros((2, 5), np.float32)},
        {"channels": 2},
        {"channels": 1},
    ],
)
def test_what_is_added_has_to_fit(change: dict[str, object]) -> None:
    chroma, weights = np.zeros((2, 6, 6), np.float32), np.zeros((2, 6), np.float32)
    arguments = {"scale": 2, "chroma": chroma, "chroma_first": 0, "height": 10, "weights": weights} | change
    begin, end = arguments.pop("rows", (4, 8))
    out = np.zeros((end - begin, 12, arguments.pop("channels", 3)), np.float32)
    with pytest.raises(ValueError, match=r"rows|scale|wrong shape|channels"):
        native.spread_addends(np.zeros((1, end - begin, 12), np.float32), begin=begin, end=end, out=out, **arguments)
