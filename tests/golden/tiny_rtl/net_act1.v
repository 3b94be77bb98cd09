// MatVecKernel
// Latency in cycles: 2; takes a beat every cycle in which ce is high.
module net_act1 (
  input wire clk,
  input wire ce,
  input wire [11:0] x0, // 3 x ap_ufixed<4,0,AP_RND,AP_SAT>
  output wire [7:0] y // 2 x ap_ufixed<4,0,AP_RND,AP_SAT>
);

  // Stage 0
  wire [3:0] v0 = x0[0 +: 4];
  wire [3:0] v1 = x0[4 +: 4];
  wire [3:0] v2 = x0[8 +: 4];
  wire [5:0] v5 = (v0 <<< 1) + v0;
  wire [6:0] v6 = (v1 <<< 2) + v1;
  wire signed [6:0] v7 = $signed({1'b0, v5}) - ($signed({1'b0, v2}) <<< 1);
  wire signed [7:0] v8 = $signed({1'b0, v6}) + -3'sd3;
  wire signed [6:0] v9 = v7 + 4'sd5;
  wire signed [3:0] v10 = v9 >>> 3;
  wire signed [4:0] v12 = v8 >>> 3;
  wire [3:0] v13 = v12 < 2'sd0 ? 4'd0 : v12[3:0];
  reg signed [3:0] v10_1;
  reg [3:0] v13_1;
  always @(posedge clk) if (ce) begin
    v10_1 <= v10;
    v13_1 <= v13;
  end

  // Stage 1
  wire [2:0] v11 = v10_1 < 2'sd0 ? 3'd0 : v10_1[2:0];
  reg [2:0] v11_2;
  reg [3:0] v13_2;
  always @(posedge clk) if (ce) begin
    v11_2 <= v11;
    v13_2 <= v13_1;
  end

  // Stage 2

  assign y[0 +: 4] = v11_2;
  assign y[4 +: 4] = v13_2;
endmodule
