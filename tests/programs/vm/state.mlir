// Globals, lists, buffers, rodata, imports, yields and failures.
vm.module @state {
  vm.import private @host.log(%level: i32, %text: !vm.buffer)
  vm.import private optional @host.sum(%values: i64 ...) -> i64
  vm.global.i32 private mutable @count = 7 : i32
  vm.global.i64 private mutable @total : i64
  vm.global.ref private mutable @list : !vm.list<?>
  vm.rodata private @text dense<[104, 101, 108, 108, 111]> : tensor<5xi8>
  vm.export @push
  vm.func @push(%value: i64) -> i32 {
    %zero = vm.const.i32 0
    %one = vm.const.i32 1
    %count = vm.global.load.i32 @count : i32
    %next = vm.add.i32 %count, %one : i32
    vm.global.store.i32 %next, @count : i32
    %total = vm.global.load.i64 @total : i64
    %sum = vm.add.i64 %total, %value : i64
    vm.global.store.i64 %sum, @total : i64
    %list = vm.list.alloc %next : (i32) -> !vm.list<i64>
    vm.list.resize %list, %next : (!vm.list<i64>, i32)
    vm.list.set.i64 %list, %zero, %value : (!vm.list<i64>, i32, i64)
    %size = vm.list.size %list : (!vm.list<i64>) -> i32
    vm.return %size : i32
  }
  vm.export @hash
  vm.func @hash() -> i64 {
    %text = vm.const.ref.rodata @text : !vm.buffer
    %level = vm.const.i32 3
    vm.call @host.log(%level, %text) : (i32, !vm.buffer) -> ()
    %zero = vm.const.i64 0
    %length = vm.buffer.length %text : !vm.buffer -> i64
    %hash = vm.buffer.hash %text, %zero, %length : !vm.buffer -> i64
    vm.return %hash : i64
  }
  vm.export @variadic
  vm.func @variadic(%a: i64, %b: i64) -> i64 {
    %ok = vm.import.resolved @host.sum : i32
    vm.cond_br %ok, ^call, ^none
  ^call:
    %sum = vm.call.variadic @host.sum([%a, %b, %a]) : (i64 ...) -> i64
    vm.return %sum : i64
  ^none:
    %code = vm.const.i32 5
    vm.fail %code, "host.sum is missing"
  }
  vm.export @yields
  vm.func @yields(%n: i32) -> i32 {
    %one = vm.const.i32 1
    vm.br ^loop(%n : i32)
  ^loop(%left: i32):
    vm.cond_br %left, ^body, ^done
  ^body:
    %less = vm.sub.i32 %left, %one : i32
    vm.yield ^loop(%less : i32)
  ^done:
    vm.return %one : i32
  }
  vm.export @table
  vm.func @table(%index: i32, %a: i32, %b: i32) -> i32 {
    vm.br_table %index {
      default: ^out(%a : i32),
      0: ^out(%b : i32),
      1: ^out(%index : i32)
    }
  ^out(%result: i32):
    vm.return %result : i32
  }
}
