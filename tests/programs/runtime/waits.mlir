// Programs that wait on what the host brings: delays, events, semaphores; alone, in loops, under calls.
vm.module @waits {
  vm.import private @raddle.delay(%ns: i64) attributes {vm.yield}
  vm.import private @raddle.event.create(%auto: i32) -> !vm.ref<?>
  vm.import private @raddle.event.set(%event: !vm.ref<?>)
  vm.import private @raddle.event.wait(%event: !vm.ref<?>) attributes {vm.yield}
  vm.import private @raddle.event.any(%first: !vm.ref<?>, %second: !vm.ref<?>) -> i32 attributes {vm.yield}
  vm.import private @raddle.event.all(%first: !vm.ref<?>, %second: !vm.ref<?>) attributes {vm.yield}
  vm.import private @raddle.semaphore.create(%value: i64) -> !vm.ref<?>
  vm.import private @raddle.semaphore.signal(%semaphore: !vm.ref<?>, %value: i64)
  vm.import private @raddle.semaphore.wait(%semaphore: !vm.ref<?>, %value: i64) attributes {vm.yield}

  vm.export @add
  vm.func @add(%a: i32, %b: i32) -> i32 {
    %sum = vm.add.i32 %a, %b : i32
    vm.return %sum : i32
  }

  // Never returns.
  vm.export @spin
  vm.func @spin() {
    vm.br ^loop
  ^loop:
    vm.br ^loop
  }

  vm.export @yields
  vm.func @yields(%count: i32) -> i32 {
    %one = vm.const.i32 1
    vm.br ^loop(%count : i32)
  ^loop(%left: i32):
    vm.cond_br %left, ^body, ^done
  ^body:
    vm.yield ^after
  ^after:
    %less = vm.sub.i32 %left, %one : i32
    vm.br ^loop(%less : i32)
  ^done:
    vm.return %count : i32
  }

  vm.export @delay
  vm.func @delay(%ns: i64, %value: i32) -> i32 {
    vm.call.yieldable @raddle.delay(%ns) : (i64) -> ^done()
  ^done:
    vm.return %value : i32
  }

  // Waits for an event of the host's.
  vm.export @until
  vm.func @until(%event: !vm.ref<?>, %value: i32) -> i32 {
    vm.call.yieldable @raddle.event.wait(%event) : (!vm.ref<?>) -> ^done()
  ^done:
    vm.return %value : i32
  }

  // Waits two functions deep, count times, each time after telling the host.
  vm.export @turns
  vm.func @turns(%told: !vm.ref<?>, %awaited: !vm.ref<?>, %count: i32) -> i32 {
    %zero = vm.const.i32 0
    vm.br ^loop(%zero : i32)
  ^loop(%turns: i32):
    %more = vm.cmp.lt.i32.s %turns, %count : i32
    vm.cond_br %more, ^body, ^done
  ^body:
    vm.call.yieldable @turn(%told, %awaited, %turns) : (!vm.ref<?>, !vm.ref<?>, i32) -> ^loop(i32)
  ^done:
    vm.return %turns : i32
  }
  vm.func private @turn(%told: !vm.ref<?>, %awaited: !vm.ref<?>, %turns: i32) -> i32 attributes {noinline} {
    %one = vm.const.i32 1
    vm.call @raddle.event.set(%told) : (!vm.ref<?>) -> ()
    vm.call.yieldable @raddle.event.wait(%awaited) : (!vm.ref<?>) -> ^done()
  ^done:
    %next = vm.add.i32 %turns, %one : i32
    vm.return %next : i32
  }

  vm.export @any
  vm.func @any(%first: !vm.ref<?>, %second: !vm.ref<?>) -> i32 {
    vm.call.yieldable @raddle.event.any(%first, %second) : (!vm.ref<?>, !vm.ref<?>) -> ^done(i32)
  ^done(%index: i32):
    vm.return %index : i32
  }

  vm.export @all
  vm.func @all(%first: !vm.ref<?>, %second: !vm.ref<?>, %value: i32) -> i32 {
    vm.call.yieldable @raddle.event.all(%first, %second) : (!vm.ref<?>, !vm.ref<?>) -> ^done()
  ^done:
    vm.return %value : i32
  }

  vm.export @reaches
  vm.func @reaches(%semaphore: !vm.ref<?>, %value: i64) -> i64 {
    vm.call.yieldable @raddle.semaphore.wait(%semaphore, %value) : (!vm.ref<?>, i64) -> ^done()
  ^done:
    vm.return %value : i64
  }

  // Waits for what it has signalled itself: nothing suspends.
  vm.export @own
  vm.func @own(%value: i64) -> i64 {
    %zero = vm.const.i64 0
    %auto = vm.const.i32 1
    %semaphore = vm.call @raddle.semaphore.create(%zero) : (i64) -> !vm.ref<?>
    vm.call @raddle.semaphore.signal(%semaphore, %value) : (!vm.ref<?>, i64) -> ()
    vm.call.yieldable @raddle.semaphore.wait(%semaphore, %value) : (!vm.ref<?>, i64) -> ^then()
  ^then:
    %event = vm.call @raddle.event.create(%auto) : (i32) -> !vm.ref<?>
    vm.call @raddle.event.set(%event) : (!vm.ref<?>) -> ()
    vm.call.yieldable @raddle.event.wait(%event) : (!vm.ref<?>) -> ^done()
  ^done:
    vm.return %value : i64
  }
}
