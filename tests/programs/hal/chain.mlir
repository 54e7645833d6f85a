// 24 dispatches, each behind the one before, of a kernel that adds one number: what a dispatch costs besides its kernel.
stream.executable private @ext {
  stream.executable.export public @inc workgroups(%n: index) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    stream.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @inc(%in: !stream.binding, %out: !stream.binding) {
      %c0 = arith.constant 0 : index
      %one = arith.constant 1.0 : f32
      %i = stream.binding.subspan %in[%c0] : !stream.binding -> memref<4xf32>
      %o = stream.binding.subspan %out[%c0] : !stream.binding -> memref<4xf32>
      %x = memref.load %i[%c0] : memref<4xf32>
      %y = arith.addf %x, %one : f32
      memref.store %y, %o[%c0] : memref<4xf32>
      return
    }
  }
}
func.func @chain(%t0: tensor<4xf32>) -> tensor<4xf32> {
  %c1 = arith.constant 1 : index
  %t1 = flow.dispatch @ext::@inc[%c1](%t0) : (tensor<4xf32>) -> tensor<4xf32>
  %t2 = flow.dispatch @ext::@inc[%c1](%t1) : (tensor<4xf32>) -> tensor<4xf32>
  %t3 = flow.dispatch @ext::@inc[%c1](%t2) : (tensor<4xf32>) -> tensor<4xf32>
  %t4 = flow.dispatch @ext::@inc[%c1](%t3) : (tensor<4xf32>) -> tensor<4xf32>
  %t5 = flow.dispatch @ext::@inc[%c1](%t4) : (tensor<4xf32>) -> tensor<4xf32>
  %t6 = flow.dispatch @ext::@inc[%c1](%t5) : (tensor<4xf32>) -> tensor<4xf32>
  %t7 = flow.dispatch @ext::@inc[%c1](%t6) : (tensor<4xf32>) -> tensor<4xf32>
  %t8 = flow.dispatch @ext::@inc[%c1](%t7) : (tensor<4xf32>) -> tensor<4xf32>
  %t9 = flow.dispatch @ext::@inc[%c1](%t8) : (tensor<4xf32>) -> tensor<4xf32>
  %t10 = flow.dispatch @ext::@inc[%c1](%t9) : (tensor<4xf32>) -> tensor<4xf32>
  %t11 = flow.dispatch @ext::@inc[%c1](%t10) : (tensor<4xf32>) -> tensor<4xf32>
  %t12 = flow.dispatch @ext::@inc[%c1](%t11) : (tensor<4xf32>) -> tensor<4xf32>
  %t13 = flow.dispatch @ext::@inc[%c1](%t12) : (tensor<4xf32>) -> tensor<4xf32>
  %t14 = flow.dispatch @ext::@inc[%c1](%t13) : (tensor<4xf32>) -> tensor<4xf32>
  %t15 = flow.dispatch @ext::@inc[%c1](%t14) : (tensor<4xf32>) -> tensor<4xf32>
  %t16 = flow.dispatch @ext::@inc[%c1](%t15) : (tensor<4xf32>) -> tensor<4xf32>
  %t17 = flow.dispatch @ext::@inc[%c1](%t16) : (tensor<4xf32>) -> tensor<4xf32>
  %t18 = flow.dispatch @ext::@inc[%c1](%t17) : (tensor<4xf32>) -> tensor<4xf32>
  %t19 = flow.dispatch @ext::@inc[%c1](%t18) : (tensor<4xf32>) -> tensor<4xf32>
  %t20 = flow.dispatch @ext::@inc[%c1](%t19) : (tensor<4xf32>) -> tensor<4xf32>
  %t21 = flow.dispatch @ext::@inc[%c1](%t20) : (tensor<4xf32>) -> tensor<4xf32>
  %t22 = flow.dispatch @ext::@inc[%c1](%t21) : (tensor<4xf32>) -> tensor<4xf32>
  %t23 = flow.dispatch @ext::@inc[%c1](%t22) : (tensor<4xf32>) -> tensor<4xf32>
  %t24 = flow.dispatch @ext::@inc[%c1](%t23) : (tensor<4xf32>) -> tensor<4xf32>
  return %t24 : tensor<4xf32>
}
