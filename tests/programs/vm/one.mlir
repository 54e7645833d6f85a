// A single function, whose debug tables are therefore complete.
vm.module @one {
  vm.export @fact
  vm.func @fact(%n: i32) -> i32 {
    %one = vm.const.i32 1
    vm.br ^loop(%one, %n : i32, i32)
  ^loop(%product: i32, %left: i32):
    vm.cond_br %left, ^body, ^done
  ^body:
    %next = vm.mul.i32 %product, %left : i32
    %less = vm.sub.i32 %left, %one : i32
    vm.br ^loop(%next, %less : i32, i32)
  ^done:
    vm.return %product : i32
  }
}
