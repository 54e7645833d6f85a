// A module with state: its invocations run one at a time, also while one waits.
vm.module @counter {
  vm.import private @raddle.delay(%ns: i64) attributes {vm.yield}
  vm.global.i32 private mutable @count : i32
  vm.export @next
  vm.func @next(%ns: i64) -> i32 {
    %one = vm.const.i32 1
    %before = vm.global.load.i32 @count : i32
    vm.call.yieldable @raddle.delay(%ns) : (i64) -> ^then()
  ^then:
    %after = vm.add.i32 %before, %one : i32
    vm.global.store.i32 %after, @count : i32
    vm.return %after : i32
  }
}
