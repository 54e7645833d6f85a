// The smallest device program: one kernel of one tile.
func.func @abs(%x: tensor<f32>) -> tensor<f32> {
  %r = math.absf %x : tensor<f32>
  return %r : tensor<f32>
}
