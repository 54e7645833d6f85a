// Copies of every width, as functions of the module `vmvx`; compiled with --iree-vmvx-enable-microkernels.
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>
func.func @rows8(%a: tensor<7xi8>) -> tensor<5x7xi8> {
  %e = tensor.empty() : tensor<5x7xi8>
  %r = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<7xi8>) outs(%e : tensor<5x7xi8>) {
    ^bb0(%x: i8, %o: i8):
      linalg.yield %x : i8
  } -> tensor<5x7xi8>
  return %r : tensor<5x7xi8>
}
func.func @rows16(%a: tensor<7xi16>) -> tensor<5x7xi16> {
  %e = tensor.empty() : tensor<5x7xi16>
  %r = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<7xi16>) outs(%e : tensor<5x7xi16>) {
    ^bb0(%x: i16, %o: i16):
      linalg.yield %x : i16
  } -> tensor<5x7xi16>
  return %r : tensor<5x7xi16>
}
func.func @rows32(%a: tensor<7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x: i32, %o: i32):
      linalg.yield %x : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}
func.func @rows64(%a: tensor<7xi64>) -> tensor<5x7xi64> {
  %e = tensor.empty() : tensor<5x7xi64>
  %r = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<7xi64>) outs(%e : tensor<5x7xi64>) {
    ^bb0(%x: i64, %o: i64):
      linalg.yield %x : i64
  } -> tensor<5x7xi64>
  return %r : tensor<5x7xi64>
}
func.func @filled() -> tensor<5x7xi32> {
  %c = arith.constant 7 : i32
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.fill ins(%c : i32) outs(%e : tensor<5x7xi32>) -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}
