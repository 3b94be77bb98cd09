// MatVecKernel
// Latency in cycles: 1; takes a beat every cycle in which ce is high.
module net_fc2 (
  input wire clk,
  input wire ce,
  input wire [7:0] x0, // 2 x ap_ufixed<4,0,AP_RND,AP_SAT>
  output wire [4:0] y // 1 x ap_fixed<5,-2,AP_TRN,AP_WRAP>
);

  // Stage 0
  wire [3:0] v0 = x0[0 +: 4];
  wire [3:0] v1 = x0[4 +: 4];
  wire signed [4:0] v3 = $signed({1'b0, v0}) - $signed({1'b0, v1});
  wire signed [5:0] v4 = v3 + 4'sd5;
  reg signed [5:0] v4_1;
  always @(posedge clk) if (ce) begin
    v4_1 <= v4;
  end

  // Stage 1

  assign y[0 +: 5] = v4_1;
endmodule
