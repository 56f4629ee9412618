"""Clips in HDR and in wide colours look as the same scene does in an ordinary clip."""

from __future__ import annotations

import numpy as np
import pytest
from clips import filmed

from dreamer.videos.clip.reader import frames, probe

HLG, PQ, BT2020, P3 = 18, 16, 9, 12
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
# Where frames may be reordered, x265 gives a clip of a single one a decoding time by chance, which containers refuse.
LOSSLESS = {"x265-params": "log-level=error:lossless=1:bframes=0:pools=none:frame-threads=1"}


def scene(number: int = 0) -> np.ndarray:
    """Every colour, from dark to paper white, (96, 160, 3), uint8."""
    y, x = np.mgrid[0:96, 0:160]
    waves = 128 + 100 * np.sin((x + 4 * number) / 9) * np.cos(y / 7)
    values = np.stack([40 + 1.2 * x, 30 + 2 * y, waves], -1)
    values[:20, :40] = 255
    return values.clip(0, 255).astype(np.uint8)


def ten_bits(signal: np.ndarray, red: float, blue: float) -> np.ndarray:
    """R'G'B' (H, W, 3) as yuv420p10le in limited range, by a matrix's weights of red and blue."""
    luma = signal @ np.array([red, 1 - red - blue, blue])
    cb, cr = (signal[..., 2] - luma) / (2 - 2 * blue), (signal[..., 0] - luma) / (2 - 2 * red)
    half = [(512 + 896 * part).reshape(48, 2, 80, 2).mean((1, 3)).reshape(-1, 160) for part in (cb, cr)]
    return np.rint(np.concatenate([64 + 876 * luma, *half])).astype(np.uint16)


def hlg(light: np.ndarray) -> np.ndarray:
    bright = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
    return np.where(light <= 1 / 12, np.sqrt(3 * light), bright)


def pq(light: np.ndarray) -> np.ndarray:
    power = (light / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_of_the_scene() -> np.ndarray:
    return hlg((scene() / 255.0) ** 2.2 * 0.265 @ TO_BT2020.T)


def hlg_of_a_camera() -> np.ndarray:
    """Of the light for which a camera without HDR records this scene, by BT.709."""
    signal = scene() / 255.0
    light = np.where(signal < 0.081, signal / 4.5, ((signal + 0.099) / 1.099) ** (1 / 0.45))
    return hlg(light * 0.265 @ TO_BT2020.T)


def hlg_of_the_screen() -> np.ndarray:
    shown = (scene() / 255.0) ** 2.2 * 0.203 @ TO_BT2020.T
    luma = np.maximum(shown @ np.array([0.2627, 0.6780, 0.0593]), 1e-9)
    return hlg(shown * luma[..., None] ** (1 / 1.2 - 1))


def pq_of_the_screen() -> np.ndarray:
    return pq((scene() / 255.0) ** 2.2 * 203 @ TO_BT2020.T)


def contrast_and_saturation(values: np.ndarray) -> np.ndarray:
    colours = values.astype(float)
    return np.array([colours.std(), (colours.max(-1) - colours.min(-1)).mean()])


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize(
    ("signal", "transfer"),
    [(hlg_of_the_scene, HLG), (hlg_of_a_camera, HLG), (hlg_of_the_screen, HLG), (pq_of_the_screen, PQ)],
)
def test_hdr_has_the_contrast_and_the_colours_of_an_ordinary_clip(tmp_path, signal, transfer, tagged):
    rest = {"colorspace": BT2020, "color_primaries": BT2020, "color_range": 1} if tagged else {}
    colours = {"color_trc": transfer, **rest}
    frame = ten_bits(signal(), 0.2627, 0.0593)
    path = filmed(tmp_path / "a.mkv", [frame], codec="libx265", pixels="yuv420p10le", colours=colours, options=LOSSLESS)
    clip = probe(path)
    [(_, values)] = frames(clip)
    assert contrast_and_saturation(values) == pytest.approx(contrast_and_saturation(scene()), rel=0.15)
    assert np.abs(values.astype(float).mean((0, 1)) - scene().mean((0, 1))).max() < 20
    assert values[4:16, 4:36].mean() > 215, "paper white is nearly white"
    [notice] = clip.notices
    assert "it is HDR" in notice and ("HLG" in notice) == (transfer == HLG)


def test_lamps_are_brighter_than_paper_and_nothing_is_torn(tmp_path):
    ramp = np.repeat(np.linspace(0, 1000, 160)[None, :, None], 96, 0).repeat(3, 2)
    frame = ten_bits(pq(ramp), 0.2627, 0.0593)
    colours = {"color_trc": PQ, "colorspace": BT2020, "color_primaries": BT2020}
    path = filmed(tmp_path / "a.mkv", [frame], codec="libx265", pixels="yuv420p10le", colours=colours, options=LOSSLESS)
    [(_, values)] = frames(probe(path))
    line = values[40, :, 1].astype(int)
    assert (np.diff(line) >= -1).all() and line[-1] == 255 and line[32] < 240 and line[0] == 0


@pytest.mark.parametrize(("primaries", "matrix"), [(BT2020, TO_BT2020), (P3, TO_P3)])
def test_wide_colours_are_converted(tmp_path, primaries, matrix):
    light = (scene() / 255.0) ** 2.2 @ matrix.T
    frame = ten_bits(light ** (1 / 2.2), 0.2126, 0.0722)
    colours = {"colorspace": 1, "color_primaries": primaries, "color_trc": 1, "color_range": 1}
    path = filmed(tmp_path / "a.mkv", [frame], codec="libx265", pixels="yuv420p10le", colours=colours, options=LOSSLESS)
    clip = probe(path)
    [(_, values)] = frames(clip)
    away = np.abs(values[24:].astype(int) - scene()[24:])
    assert away.mean() < 3 and contrast_and_saturation(values) == pytest.approx(
        contrast_and_saturation(scene()), rel=0.03
    )
    assert not clip.notices


def test_colours_that_are_not_known_are_told_of(tmp_path):
    colours = {"colorspace": 14, "color_primaries": 1, "color_trc": 9}
    clip = probe(filmed(tmp_path / "a.mkv", codec="ffv1", pixels="yuv444p", colours=colours))
    assert ["transfer 9" in notice or "matrix 14" in notice for notice in clip.notices] == [True, True]
