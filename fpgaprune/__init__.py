"""fpgaprune: prune PyTorch models and generate FPGA designs in which zero weights do not exist."""
