// One operation on a million numbers: large tiles.
func.func @wide(%x: tensor<1048576xf32>, %y: tensor<1048576xf32>) -> tensor<1048576xf32> {
  %s = arith.mulf %x, %x : tensor<1048576xf32>
  %r = arith.addf %s, %y : tensor<1048576xf32>
  return %r : tensor<1048576xf32>
}
