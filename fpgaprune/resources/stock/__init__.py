"""What stock hls4ml would cost for a network: estimates of csynth and of synthesis, without a vendor tool."""

from fpgaprune.resources.stock.estimate import estimate_stock
from fpgaprune.resources.stock.graph import stock_layers
from fpgaprune.resources.stock.reading import from_data, loads
from fpgaprune.resources.stock.values import Range, StockDesign, StockEstimate, Strategy

__all__ = ["Range", "StockDesign", "StockEstimate", "Strategy", "estimate_stock", "from_data", "loads", "stock_layers"]
