// Two convolutions of a small image, each with a rectifier.
func.func @convolution(%x: tensor<1x18x18x3xf32>, %a: tensor<3x3x3x8xf32>, %b: tensor<3x3x8x8xf32>) -> tensor<1x14x14x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e1 = tensor.empty() : tensor<1x16x16x8xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x16x16x8xf32>) -> tensor<1x16x16x8xf32>
  %c1 = linalg.conv_2d_nhwc_hwcf {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %a : tensor<1x18x18x3xf32>, tensor<3x3x3x8xf32>) outs(%z1 : tensor<1x16x16x8xf32>) -> tensor<1x16x16x8xf32>
  %o1 = arith.constant dense<0.0> : tensor<1x16x16x8xf32>
  %r1 = arith.maximumf %c1, %o1 : tensor<1x16x16x8xf32>
  %e2 = tensor.empty() : tensor<1x14x14x8xf32>
  %z2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x14x14x8xf32>) -> tensor<1x14x14x8xf32>
  %c2 = linalg.conv_2d_nhwc_hwcf {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%r1, %b : tensor<1x16x16x8xf32>, tensor<3x3x8x8xf32>) outs(%z2 : tensor<1x14x14x8xf32>) -> tensor<1x14x14x8xf32>
  %o2 = arith.constant dense<0.0> : tensor<1x14x14x8xf32>
  %r2 = arith.maximumf %c2, %o2 : tensor<1x14x14x8xf32>
  return %r2 : tensor<1x14x14x8xf32>
}
