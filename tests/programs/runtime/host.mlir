// A program that calls functions of a host's module `host`, some of which suspend.
vm.module @client {
  vm.import private @host.add(%a: i32, %b: i64, %c: f32, %d: f64) -> f64
  vm.import private @host.await(%value: !vm.ref<?>) -> i32 attributes {vm.yield}
  vm.import private @host.sum(%seed: i32, %items: i32 ...) -> i32
  vm.import private @host.fail(%code: i32)

  vm.export @add
  vm.func @add(%a: i32, %b: i64, %c: f32, %d: f64) -> f64 {
    %sum = vm.call @host.add(%a, %b, %c, %d) : (i32, i64, f32, f64) -> f64
    vm.return %sum : f64
  }

  vm.export @twice
  vm.func @twice(%first: !vm.ref<?>, %second: !vm.ref<?>) -> i32 {
    vm.call.yieldable @host.await(%first) : (!vm.ref<?>) -> ^then(i32)
  ^then(%a: i32):
    vm.call.yieldable @host.await(%second) : (!vm.ref<?>) -> ^done(i32)
  ^done(%b: i32):
    %sum = vm.add.i32 %a, %b : i32
    vm.return %sum : i32
  }

  vm.export @sum
  vm.func @sum(%a: i32, %b: i32, %c: i32) -> i32 {
    %sum = vm.call.variadic @host.sum(%a, [%b, %c]) : (i32, i32 ...) -> i32
    vm.return %sum : i32
  }

  vm.export @fail
  vm.func @fail(%code: i32) {
    vm.call @host.fail(%code) : (i32) -> ()
    vm.return
  }
}
