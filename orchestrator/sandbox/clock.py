"""The beat that everything in mod_conference follows."""

from __future__ import annotations

# `interval` of the conference profile: one frame of sound.
FRAME_SECONDS = 0.02
FRAMES_PER_SECOND = 50
