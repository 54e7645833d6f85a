// Programs that wait on wait sources of the host's, and that call functions of the host's.
vm.module @sources {
  vm.import private @raddle.source.wait(%source: !vm.ref<?>) attributes {vm.yield}
  vm.import private @raddle.source.any(%first: !vm.ref<?>, %second: !vm.ref<?>) -> i32 attributes {vm.yield}
  vm.import private @raddle.source.all(%first: !vm.ref<?>, %second: !vm.ref<?>) attributes {vm.yield}
  vm.import private @raddle.delay(%ns: i64) attributes {vm.yield}

  vm.export @until
  vm.func @until(%source: !vm.ref<?>, %value: i32) -> i32 {
    vm.call.yieldable @raddle.source.wait(%source) : (!vm.ref<?>) -> ^done()
  ^done:
    vm.return %value : i32
  }

  vm.export @any
  vm.func @any(%first: !vm.ref<?>, %second: !vm.ref<?>) -> i32 {
    vm.call.yieldable @raddle.source.any(%first, %second) : (!vm.ref<?>, !vm.ref<?>) -> ^done(i32)
  ^done(%index: i32):
    vm.return %index : i32
  }

  vm.export @all
  vm.func @all(%first: !vm.ref<?>, %second: !vm.ref<?>, %value: i32) -> i32 {
    vm.call.yieldable @raddle.source.all(%first, %second) : (!vm.ref<?>, !vm.ref<?>) -> ^done()
  ^done:
    vm.return %value : i32
  }

  // The same reference out again.
  vm.export @echo
  vm.func @echo(%object: !vm.ref<?>, %a: i64, %b: f32, %c: f64) -> (!vm.ref<?>, i64, f32, f64) {
    vm.return %object, %a, %b, %c : !vm.ref<?>, i64, f32, f64
  }
}
