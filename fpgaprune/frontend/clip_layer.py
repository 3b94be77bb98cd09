"""The one layer that fpgaprune adds to hls4ml: a clip with ends that hls4ml has no activation for."""

from __future__ import annotations

from hls4ml.model.layers import Layer, register_layer

CLIP = "FpgapruneClip"


class FpgapruneClip(Layer):  # type: ignore[misc]  # hls4ml has no types
    """Each element limited to the attributes ``low``…``high`` (None is open), then cast to the result type.

    Stock hls4ml has no C++ for it; `fpgaprune.frontend.baseline` refuses it by name.
    """

    def initialize(self) -> None:
        """Declare the result, which has the shape of the input."""
        self.add_output_variable(self.get_input_variable().shape)


register_layer(CLIP, FpgapruneClip)
