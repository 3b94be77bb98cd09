// A vector every cycle in which ce is high; its results are there 3 such cycles later.
module net (
  input wire clk,
  input wire rst, // synchronous: forgets which vectors are valid
  input wire ce,
  input wire in_valid,
  input wire [11:0] x, // 3 x ap_ufixed<4,0,AP_RND,AP_SAT>
  output wire out_valid,
  output wire [4:0] fc2_out // 1 x ap_fixed<5,-2,AP_TRN,AP_WRAP>
);
  wire [7:0] act1;
  wire [4:0] fc2;
  net_act1 act1_kernel (
    .clk(clk),
    .ce(ce),
    .x0(x),
    .y(act1)
  );
  net_fc2 fc2_kernel (
    .clk(clk),
    .ce(ce),
    .x0(act1),
    .y(fc2)
  );

  reg [2:0] valid;
  always @(posedge clk)
    if (rst) valid <= 3'd0;
    else if (ce) valid <= {valid[1:0], in_valid};
  assign out_valid = valid[2];
  assign fc2_out = fc2;
endmodule
