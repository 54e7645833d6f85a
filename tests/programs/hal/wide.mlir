// As much work as is asked for: a hand-written kernel, each of whose workgroups adds up 1,024 terms of a series for one element,
// which takes some microseconds. What a device spreads over workers.
stream.executable private @ext {
  stream.executable.export public @series workgroups(%n: index) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    stream.return %n, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @series(%in: !stream.binding, %n: index, %out: !stream.binding) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %terms = arith.constant 1024 : index
      %zero = arith.constant 0.0 : f32
      %one = arith.constant 1.0 : f32
      %i = stream.binding.subspan %in[%c0] : !stream.binding -> memref<?xf32>{%n}
      %o = stream.binding.subspan %out[%c0] : !stream.binding -> memref<?xf32>{%n}
      %at = stream.dispatch.workgroup.id[0] : index
      %x = memref.load %i[%at] : memref<?xf32>
      %sum = scf.for %k = %c0 to %terms step %c1 iter_args(%s = %zero) -> (f32) {
        %y = arith.mulf %s, %x : f32
        %z = arith.addf %y, %one : f32
        scf.yield %z : f32
      }
      memref.store %sum, %o[%at] : memref<?xf32>
      return
    }
  }
}
func.func @wide(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %r = flow.dispatch @ext::@series[%n](%x, %n) : (tensor<?xf32>{%n}, index) -> tensor<?xf32>{%n}
  return %r : tensor<?xf32>
}
