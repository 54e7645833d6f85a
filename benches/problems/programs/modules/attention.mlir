// One head of attention over 32 tokens of 64 numbers.
func.func @attention(%q: tensor<32x64xf32>, %k: tensor<32x64xf32>, %v: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %zero = arith.constant 0.0 : f32
  %es = tensor.empty() : tensor<32x32xf32>
  %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<32x32xf32>) -> tensor<32x32xf32>
  %et = tensor.empty() : tensor<64x32xf32>
  %t = linalg.transpose ins(%k : tensor<32x64xf32>) outs(%et : tensor<64x32xf32>) permutation = [1, 0]
  %s = linalg.matmul ins(%q, %t : tensor<32x64xf32>, tensor<64x32xf32>) outs(%zs : tensor<32x32xf32>) -> tensor<32x32xf32>
  %scale = arith.constant dense<0.125> : tensor<32x32xf32>
  %scaled = arith.mulf %s, %scale : tensor<32x32xf32>
  %p = linalg.softmax dimension(1) ins(%scaled : tensor<32x32xf32>) outs(%es : tensor<32x32xf32>) -> tensor<32x32xf32>
  %eo = tensor.empty() : tensor<32x64xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<32x64xf32>) -> tensor<32x64xf32>
  %o = linalg.matmul ins(%p, %v : tensor<32x32xf32>, tensor<32x64xf32>) outs(%zo : tensor<32x64xf32>) -> tensor<32x64xf32>
  return %o : tensor<32x64xf32>
}
