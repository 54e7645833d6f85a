// A perceptron of the shape of MNIST: 784 -> 128 -> 10, relu, softmax. Its weights are numbers of a congruential
// generator, computed by the compiler: the file that it writes holds them as constants.
func.func private @weights_a() -> tensor<784x128xf32> {
  %e = tensor.empty() : tensor<784x128xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      outs(%e : tensor<784x128xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %c128 = arith.constant 128 : index
    %m = arith.muli %i, %c128 : index
    %n = arith.addi %m, %j : index
    %k = arith.index_cast %n : index to i32
    %a = arith.constant 1664525 : i32
    %c = arith.constant 1013904223 : i32
    %s0 = arith.muli %k, %a : i32
    %s1 = arith.addi %s0, %c : i32
    %s2 = arith.muli %s1, %a : i32
    %s3 = arith.addi %s2, %c : i32
    %f = arith.sitofp %s3 : i32 to f32
    %scale = arith.constant 2.0e-11 : f32
    %w = arith.mulf %f, %scale : f32
    linalg.yield %w : f32
  } -> tensor<784x128xf32>
  return %r : tensor<784x128xf32>
}
func.func private @weights_b() -> tensor<128x10xf32> {
  %e = tensor.empty() : tensor<128x10xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      outs(%e : tensor<128x10xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %c10 = arith.constant 10 : index
    %m = arith.muli %i, %c10 : index
    %n = arith.addi %m, %j : index
    %k = arith.index_cast %n : index to i32
    %a = arith.constant 22695477 : i32
    %c = arith.constant 1 : i32
    %s0 = arith.muli %k, %a : i32
    %s1 = arith.addi %s0, %c : i32
    %s2 = arith.muli %s1, %a : i32
    %s3 = arith.addi %s2, %c : i32
    %f = arith.sitofp %s3 : i32 to f32
    %scale = arith.constant 6.0e-11 : f32
    %w = arith.mulf %f, %scale : f32
    linalg.yield %w : f32
  } -> tensor<128x10xf32>
  return %r : tensor<128x10xf32>
}
util.global private @a : tensor<784x128xf32>
util.global private @b : tensor<128x10xf32>
util.initializer {
  %a = func.call @weights_a() : () -> tensor<784x128xf32>
  util.global.store %a, @a : tensor<784x128xf32>
  %b = func.call @weights_b() : () -> tensor<128x10xf32>
  util.global.store %b, @b : tensor<128x10xf32>
  util.return
}
func.func @predict(%image: tensor<1x28x28x1xf32>) -> tensor<1x10xf32> {
  %zero = arith.constant 0.0 : f32
  %x = tensor.collapse_shape %image [[0], [1, 2, 3]] : tensor<1x28x28x1xf32> into tensor<1x784xf32>
  %a = util.global.load @a : tensor<784x128xf32>
  %b = util.global.load @b : tensor<128x10xf32>
  %e0 = tensor.empty() : tensor<1x128xf32>
  %z0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<1x128xf32>) -> tensor<1x128xf32>
  %h = linalg.matmul ins(%x, %a : tensor<1x784xf32>, tensor<784x128xf32>) outs(%z0 : tensor<1x128xf32>) -> tensor<1x128xf32>
  %zeros = arith.constant dense<0.0> : tensor<1x128xf32>
  %r = arith.maximumf %h, %zeros : tensor<1x128xf32>
  %e1 = tensor.empty() : tensor<1x10xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x10xf32>) -> tensor<1x10xf32>
  %l = linalg.matmul ins(%r, %b : tensor<1x128xf32>, tensor<128x10xf32>) outs(%z1 : tensor<1x10xf32>) -> tensor<1x10xf32>
  %s = linalg.softmax dimension(1) ins(%l : tensor<1x10xf32>) outs(%e1 : tensor<1x10xf32>) -> tensor<1x10xf32>
  return %s : tensor<1x10xf32>
}
