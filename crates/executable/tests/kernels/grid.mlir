// A hand-written kernel that writes, for each workgroup, its number within the grid to the place with that number.
stream.executable private @ext {
  stream.executable.export public @number workgroups() -> (index, index, index) {
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %c4 = arith.constant 4 : index
    stream.return %c2, %c3, %c4 : index, index, index
  }
  builtin.module {
    func.func @number(%out: !stream.binding) {
      %c0 = arith.constant 0 : index
      %x = stream.dispatch.workgroup.id[0] : index
      %y = stream.dispatch.workgroup.id[1] : index
      %z = stream.dispatch.workgroup.id[2] : index
      %nx = stream.dispatch.workgroup.count[0] : index
      %ny = stream.dispatch.workgroup.count[1] : index
      %zy = arith.muli %z, %ny : index
      %row = arith.addi %zy, %y : index
      %first = arith.muli %row, %nx : index
      %at = arith.addi %first, %x : index
      %o = stream.binding.subspan %out[%c0] : !stream.binding -> memref<24xi32>
      %v = arith.index_cast %at : index to i32
      memref.store %v, %o[%at] : memref<24xi32>
      return
    }
  }
}
func.func @apply() -> tensor<24xi32> {
  %r = flow.dispatch @ext::@number() : () -> tensor<24xi32>
  return %r : tensor<24xi32>
}
