// Halves a vector until its first number is at most one: the host reads a number back before each round.
func.func @halving(%x: tensor<32xf32>) -> tensor<32xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %half = arith.constant dense<0.5> : tensor<32xf32>
  %r = scf.while (%v = %x) : (tensor<32xf32>) -> tensor<32xf32> {
    %first = tensor.extract %v[%zero] : tensor<32xf32>
    %more = arith.cmpf ogt, %first, %one : f32
    scf.condition(%more) %v : tensor<32xf32>
  } do {
  ^bb0(%v: tensor<32xf32>):
    %w = arith.mulf %v, %half : tensor<32xf32>
    scf.yield %w : tensor<32xf32>
  }
  return %r : tensor<32xf32>
}
