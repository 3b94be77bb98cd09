"""What a classifier gives out."""

from __future__ import annotations

import enum


class Head(enum.Enum):
    """What each output of a design is."""

    LOGITS = "logits"  # what goes into a softmax at the end; another output as it is
    ARGMAX = "argmax"  # the index of the largest of them
    SOFTMAX = "softmax"  # the probabilities, or their logarithms, that the model itself ends in
