"""The layers that fpgaprune adds to hls4ml: whatever hls4ml has none for, and a reshape that stays where it is."""

from __future__ import annotations

from hls4ml.model.attributes import Attribute
from hls4ml.model.layers import Layer, Reshape, register_layer

FPGAPRUNE = "FpgapruneLayer"
RESHAPE = "FpgapruneReshape"


class FpgapruneLayer(Layer):  # type: ignore[misc]  # hls4ml has no types
    """A layer of a quantised model that hls4ml passes through: the attribute ``record`` says what it computes.

    Stock hls4ml has no C++ for it; `fpgaprune.frontend.baseline` refuses it by name.
    """

    _expected_attributes = (Attribute("record", value_type=object),)

    def initialize(self) -> None:
        """Declare the result, in the shape of the record's."""
        record = self.get_attr("record")
        if not record.sources:
            self.inputs = ["input"]  # as hls4ml's own inputs; it would let a layer without any read the one before it
        self.add_output_variable(list(record.shape))


class FpgapruneReshape(Reshape):  # type: ignore[misc]  # hls4ml has no types
    """A Reshape before which hls4ml does not remove a Transpose; it takes each for one of channels to the front."""

    _channels_last_keep_transpose = True


register_layer(FPGAPRUNE, FpgapruneLayer)
register_layer(RESHAPE, FpgapruneReshape)
