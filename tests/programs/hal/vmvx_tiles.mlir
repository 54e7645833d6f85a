// Products of matrices in tiles, as functions of the module `vmvx`; compiled with --iree-vmvx-enable-microkernels and
// --iree-opt-data-tiling.
func.func @floats(%a: tensor<13x21xf32>, %b: tensor<21x10xf32>) -> tensor<13x10xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<13x10xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<13x10xf32>) -> tensor<13x10xf32>
  %r = linalg.matmul ins(%a, %b : tensor<13x21xf32>, tensor<21x10xf32>) outs(%f : tensor<13x10xf32>) -> tensor<13x10xf32>
  return %r : tensor<13x10xf32>
}
func.func @bytes(%a: tensor<13x21xi8>, %b: tensor<21x10xi8>) -> tensor<13x10xi32> {
  %z = arith.constant 0 : i32
  %e = tensor.empty() : tensor<13x10xi32>
  %f = linalg.fill ins(%z : i32) outs(%e : tensor<13x10xi32>) -> tensor<13x10xi32>
  %r = linalg.matmul ins(%a, %b : tensor<13x21xi8>, tensor<21x10xi8>) outs(%f : tensor<13x10xi32>) -> tensor<13x10xi32>
  return %r : tensor<13x10xi32>
}
func.func @any(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>, %c: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<?x?xf32>, tensor<?x?xf32>) outs(%c : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}
