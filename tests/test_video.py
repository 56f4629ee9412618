"""Dreams over clips: steady, neither fading nor growing; and the command that makes them."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from clips import heard, made, tone, turned
from command import dreamer, left_in, refused
from networks import tiny

from dreamer.api import registry, video
from dreamer.errors import UsageError
from dreamer.image import Photo, load
from dreamer.motifs.sample_scene import scene
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Pipeline
from dreamer.videos.clip.reader import frames, probe, read_recipe
from dreamer.videos.clip.state import FolderStore
from dreamer.videos.film.film import Film, load_change, save_change
from dreamer.videos.film.motion import find_motion
from dreamer.videos.film.optical_flow import warp

SIZE = (72, 96)
QUICK = ("--set", "octaves.steps=2", "--threads", "1", "--progress", "none")


def shots(count, step=0, seed=1):
    """A camera that moves along a drawn scene, by `step` pixels a frame."""
    large = (scene(240, 72, seed=seed)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    return [(Fraction(n, 24), np.ascontiguousarray(large[:, n * step : n * step + 96])) for n in range(count)]


def composed(octaves=1, **words):
    plan = {"steps": 10, "step_size": 0.01, "count": octaves}
    return build({"octaves": plan, **words}, registry(), network=tiny())


def film(stability, **words):
    pipeline = composed(**words)
    return Film(pipeline, 96, pipeline.plan(*SIZE), stability)


def changes(dreams, source):
    return [float(np.abs(d.frame.astype(int) - values).mean()) for d, (_, values) in zip(dreams, source, strict=True)]


def flicker(dreams, source):
    """The mean difference between a dream and the one before, moved along; the sources' own taken off."""

    def unrest(values):
        pictures = [Photo(v).image() for v in values]
        moved = [warp(before, motion.flow) for before, motion in zip(pictures, motions, strict=False)]
        return np.mean([float((a - b).abs().mean()) for a, b in zip(pictures[1:], moved, strict=True)])

    images = [Photo(values).image() for _, values in source]
    motions = [find_motion(now, before) for before, now in pairwise(images)]
    return unrest([d.frame for d in dreams]) - unrest([values for _, values in source])


def interrupted(monkeypatch, frames):
    """Ctrl-C after so many dreams; the number that are left, in a list, may be set anew."""
    ascend, left = Pipeline.ascend, [frames]

    def counted(*arguments, **more):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return ascend(*arguments, **more)

    monkeypatch.setattr(Pipeline, "ascend", counted)
    return left


def test_it_flickers_less_than_half_as_much_and_changes_as_much():
    source = shots(6, step=1)
    alone, steady = ([*film(stability).dreams(source)] for stability in (0.0, 0.7))
    assert flicker(steady, source) < 0.5 * flicker(alone, source)
    assert np.mean(changes(steady, source)) > 0.9 * np.mean(changes(alone, source))


@pytest.mark.parametrize("octaves", [1, 3])
def test_the_dream_neither_fades_nor_grows_without_end(octaves):
    source = shots(1) * 16
    dreams = [*film(0.7, octaves=octaves).dreams(source)]
    found = changes(dreams, source)
    assert max(found) < 1.2 * found[0] and min(found) > 0.9 * found[0]
    assert abs(found[15] - found[7]) < 0.05 * found[0]
    assert abs(dreams[15].frame.mean() - dreams[0].frame.mean()) < 2


def test_without_stability_each_frame_is_dreamt_for_itself():
    source = shots(3, step=3)
    for dreamt, (time, values) in zip(film(0.0).dreams(source), source, strict=True):
        photo = Photo(values)
        change = composed().dream(photo).change.half()
        assert torch.equal(dreamt.change, change)
        difference = np.abs(dreamt.frame.astype(int) - photo.with_change(change.float()))
        assert difference.max() <= 1 and difference.mean() < 1e-3  # a half is rounded either way
        assert dreamt.time == time


def test_a_cut_begins_anew():
    source = [*shots(2), *shots(1, seed=6)]
    last = [*film(0.7).dreams(source)][-1]
    alone = [*film(0.0).dreams(source)][-1]
    assert (last.frame == alone.frame).all()


def test_steps_are_saved_and_strength_holds():
    counted = []
    source = shots(3)
    watched = replace(film(0.7), on_step=counted.append)
    whole = [*watched.dreams(source)]
    assert len(counted) == 10 + 3 + 3
    half = [*film(0.7, strength=0.5).dreams(source)]
    assert (half[2].change == whole[2].change).all()
    assert changes(half, source)[2] == pytest.approx(changes(whole, source)[2] / 2, rel=0.05)
    assert changes(film(0.7, strength=0.0).dreams(source), source) == [0, 0, 0]


def test_it_goes_on_from_any_frame_as_if_nothing_had_been(tmp_path):
    source = shots(4, step=2)
    whole = [*film(0.7).dreams(source)]
    for begin in range(1, 4):
        save_change(FolderStore(tmp_path), begin, whole[begin - 1].change)
        change = load_change(FolderStore(tmp_path), begin, SIZE)
        again = [*film(0.7).dreams(source, begin=begin, change=change)]
        assert all((a.frame == b.frame).all() for a, b in zip(again, whole[begin:], strict=True))
    assert left_in(tmp_path) == ["change-000002.safetensors", "change-000003.safetensors"]


def test_the_command_keeps_sound_times_and_size(tmp_path):
    source = made(tmp_path / "clip.mp4", 6, audio=tone(tmp_path / "tone.m4a", codec="aac"), fps=Fraction(30000, 1001))
    ran = dreamer("video", source, *QUICK)
    assert ran.code == 0, ran.err
    clip = probe(tmp_path / "clip-dream.mp4")
    assert (clip.width, clip.height, clip.frames, clip.fps) == (64, 48, 6, Fraction(30000, 1001))
    assert heard(clip.path)[0] == "aac" and clip.has_audio
    inside = json.loads(read_recipe(clip.path))
    assert inside["video"] == {"stability": 0.7} and inside["recipe"]["network"] == "reverie"
    differences = [np.abs(a.astype(int) - b).mean() for (_, a), (_, b) in both(source, clip.path)]
    assert min(differences) > 1
    assert left_in(tmp_path) == ["clip-dream.mp4", "clip.mp4", "tone.m4a"]


def both(one, other):
    return zip(frames(probe(one)), frames(probe(other)), strict=True)


def test_a_variable_rate_and_a_turned_clip_stay_so_and_odd_sizes_are_cut(tmp_path):
    times = [Fraction(n * n, 30) for n in range(4)]
    source = turned(made(tmp_path / "clip.mp4", 4, size=(48, 66), times=times), 90)
    assert dreamer("video", source, "-o", tmp_path / "out.mp4", "--size", "65", *QUICK).code == 0
    clip = probe(tmp_path / "out.mp4")
    assert (clip.width, clip.height, clip.rotation, clip.variable) == (46, 64, 0, True)
    assert [time for time, _ in frames(clip)] == pytest.approx(times, abs=1e-4)


def test_a_recipe_repeats_a_clip(tmp_path):
    source = made(tmp_path / "clip.mp4", 3)
    first, again = tmp_path / "a.webm", tmp_path / "b.webm"
    assert dreamer("video", source, "-o", first, "--seed", "7", "--stability", "0.5", *QUICK).code == 0
    assert dreamer("video", source, "-o", again, "--recipe", first, "--progress", "none").code == 0
    assert again.read_bytes() == first.read_bytes()
    assert dreamer("video", source, "-o", first, "--seed", "7", *QUICK[:4], "--resume").code == 2
    ran = dreamer("video", source, "-o", first, "--seed", "7", "--stability", "0.5", *QUICK[:4], "--resume")
    assert ran.code == 0 and "is already done" in ran.err


def test_interrupted_it_leaves_a_playable_clip_and_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    source = made(tmp_path / "clip.mp4", 6)
    assert dreamer("video", source, "-o", tmp_path / "whole.mp4", *QUICK).code == 0
    output, left = tmp_path / "out.mp4", interrupted(monkeypatch, 4)
    ran = dreamer("video", source, "-o", output, *QUICK)
    assert ran.code == 130 and "out-so-far.mp4" in ran.err
    assert len([*frames(probe(tmp_path / "out-so-far.mp4"))]) == 4
    assert left_in(tmp_path) == [".out.mp4.reel", "clip.mp4", "out-so-far.mp4", "whole.mp4"]
    refused(dreamer("video", source, "-o", output, *QUICK), "--resume continues it")
    refused(dreamer("video", source, "-o", output, "--seed", "1", "--resume", *QUICK), "differs in recipe.seed")
    left[0] = 2
    assert dreamer("video", source, "-o", output, "--resume", *QUICK).code == 0
    assert output.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert left_in(tmp_path) == ["clip.mp4", "out.mp4", "whole.mp4"]


def test_a_preview_is_the_whole_clip_in_few_frames_small_and_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr("dreamer.pipeline.preview._LEAST", 48)
    monkeypatch.setattr("dreamer.cli.film._PREVIEW_FRAMES", 3)
    source = made(tmp_path / "clip.mp4", 9, size=(96, 128), fps=4)
    assert dreamer("video", source, "-o", tmp_path / "out.mp4", "--preview", *QUICK).code == 0
    clip = probe(tmp_path / "out-preview.mp4")
    assert (clip.width, clip.height, clip.frames, clip.fps) == (64, 48, 3, Fraction(4, 3))
    assert left_in(tmp_path) == ["clip.mp4", "out-preview.mp4"]


def test_a_preview_replaces_earlier_ones_and_nothing_else(tmp_path):
    source, preview = made(tmp_path / "clip.mp4", 2, size=(96, 160)), tmp_path / "clip-dream-preview.mp4"
    made(preview, 1, recipe="somebody's comment")
    before = preview.read_bytes()
    refused(dreamer("video", source, "--preview", *QUICK), "preview.mp4 already exists", "--force")
    assert preview.read_bytes() == before
    assert dreamer("video", source, "--preview", "--force", *QUICK).code == 0
    assert dreamer("video", source, "--preview", "--seed", "7", *QUICK).code == 0
    assert json.loads(read_recipe(preview))["recipe"]["seed"] == 7
    preview.rename(tmp_path / "clip-dream.mp4")
    refused(dreamer("video", source, *QUICK), "clip-dream.mp4 already exists")


def test_what_is_wrong_is_told_at_once_and_nothing_is_lost(tmp_path):
    source = made(tmp_path / "clip.mp4", 2)
    before = source.read_bytes()
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "empty.mp4").touch()
    refused(dreamer("video", tmp_path / "none.mp4", *QUICK), "there is no such file")
    refused(dreamer("video", tmp_path / "empty.mp4", *QUICK), "the file is empty")
    refused(dreamer("video", tmp_path / "none.mp4", "--codec", "vp9"), "no such file", "--codec vp9: .mp4 allows h264")
    ran = dreamer("video", tmp_path / "text.mp4", "--set", "octaves.step=1", *QUICK)
    refused(ran, "not a readable clip", "octaves.step: unknown key")
    refused(dreamer("video", source, "-o", source, *QUICK), "clip.mp4 itself, which is never overwritten")
    refused(dreamer("video", source, "-o", source, "--force", *QUICK), "itself, which is never")
    refused(dreamer("video", source, "-o", tmp_path / "no" / "out.mp4", *QUICK), "there is no folder")
    speck = made(tmp_path / "speck.mp4", 2, size=(8, 8))
    refused(dreamer("video", speck, *QUICK), "8x8 pixels are too small for reverie at m4a")
    refused(dreamer("video", source, "--set", "pictures=2", *QUICK), "the frames of a clip are dreamt one at a time")
    refused(dreamer("video", source, "--stability", "2", *QUICK), "stability")
    refused(dreamer("video", source, "--max-pixels", "100", *QUICK), "exceed the limit of 100 pixels")
    assert source.read_bytes() == before
    assert left_in(tmp_path) == ["clip.mp4", "empty.mp4", "speck.mp4", "text.mp4"]


def test_sound_that_the_format_cannot_carry_is_told_of(tmp_path):
    source = made(tmp_path / "clip.mp4", 2, audio=tone(tmp_path / "tone.wav"))
    ran = dreamer("video", source, "-o", tmp_path / "out.gif", *QUICK[:4])
    assert ran.code == 0 and "gif cannot hold sound" in ran.err


def test_json_progress_counts_frames(tmp_path):
    source = made(tmp_path / "clip.mp4", 3)
    events = dreamer("video", source, *QUICK[:4], "--progress", "json").events
    assert [e["frame"] for e in events if e["event"] == "frame" and not e["doing"]] == [1, 2, 3]
    assert events[-1]["event"] == "done" and events[-1]["result"].endswith("clip-dream.mp4")


@pytest.mark.parametrize("damage", [b"", b"torn"])
def test_a_damaged_state_is_a_sentence(tmp_path, damage, monkeypatch):
    source = made(tmp_path / "clip.mp4", 3)
    left = interrupted(monkeypatch, 1)
    assert dreamer("video", source, *QUICK).code == 130
    left[0] = 3
    (tmp_path / ".clip-dream.mp4.reel" / "change-000001.safetensors").write_bytes(damage)
    refused(dreamer("video", source, "--resume", *QUICK), "missing or damaged", "--force")
    assert dreamer("video", source, "--force", *QUICK).code == 0


def test_a_python_program_gets_the_frames_of_the_command(tmp_path):
    source = made(tmp_path / "clip.mp4", 3)
    pictures = [*video(source, octaves={"steps": 2}, stability=0.7)]
    assert dreamer("video", source, "-o", tmp_path / "stills/", *QUICK).code == 0
    for number, picture in enumerate(pictures):
        assert (np.asarray(picture) == load(tmp_path / "stills" / f"frame-{number:06d}.png").pixels).all()
    with pytest.raises(UsageError, match="there is no such file"):
        video(tmp_path / "none.mp4")


def test_a_python_program_gets_a_part_of_a_clip(tmp_path):
    source = made(tmp_path / "clip.mp4", 10, fps=10)
    whole, part, rest = (
        [*video(source, octaves={"steps": 1}, stability=0, returns="array", **times)]
        for times in ({}, {"start": 0.1, "end": 0.3}, {"start": 0.8})
    )
    assert len(part) == len(rest) == 2
    assert all((a == b).all() for a, b in zip(part + rest, whole[1:3] + whole[8:], strict=True))
    with pytest.raises(UsageError, match="there are no frames from"):
        video(source, start=0.3, end=0.3)
    with pytest.raises(UsageError, match="start: -1 is not a number of seconds"):
        video(source, start=-1)
